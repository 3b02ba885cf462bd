"""A run as a timeline: its branches side by side, each with its steps, in percent of the whole. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_TITLES = {"ui": "UI", "backend": "Backend", "activate": "Switch"}
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)
_MOST_TICKS = 6


@dataclass(frozen=True)
class Segment:
    """One step: where it lies on the whole, in percent."""

    step: str
    seconds: float
    begin: float
    width: float


@dataclass(frozen=True)
class Row:
    """One branch."""

    title: str
    begin: float  # percent of the whole
    width: float
    seconds: float
    received: float | None  # MiB over IP; None where nobody counted
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Timeline:
    """A whole run."""

    seconds: float
    rows: tuple[Row, ...]
    ticks: tuple[tuple[float, str], ...]  # percent, label


def timeline(run: Mapping[str, Any]) -> Timeline | None:
    """The timeline of a receipt's run; None where it has no branches."""
    branches = run.get("branches") or {}
    if not branches:
        return None
    first = min(it["begun"] for it in branches.values())
    # The run itself began before: it looked, and made the ground ready.
    begun = min(first, datetime.fromisoformat(run["at"]).timestamp() - run["seconds"])
    seconds = max(max(it["ended"] for it in branches.values()) - begun, run["seconds"])
    ordered = sorted(branches.items(), key=lambda it: (it[1]["begun"], it[0]))
    rows = tuple(_row(name, it, begun, seconds) for name, it in ordered)
    return Timeline(seconds, rows, _ticks(seconds))


def _row(name: str, branch: Mapping[str, Any], begun: float, whole: float) -> Row:
    at, segments = branch["begun"] - begun, []
    for it in branch["steps"]:
        part = Segment(it["step"], it["seconds"], 100 * at / whole, 100 * it["seconds"] / whole)
        segments.append(part)
        at += it["seconds"]
    received = branch.get("received")
    return Row(
        title=_TITLES.get(name, name.capitalize()),
        begin=100 * (branch["begun"] - begun) / whole,
        width=100 * branch["seconds"] / whole,
        seconds=branch["seconds"],
        received=None if received is None else received / 2**20,
        segments=tuple(segments),
    )


def _ticks(seconds: float) -> tuple[tuple[float, str], ...]:
    step = next((it for it in _STEPS if seconds / it <= _MOST_TICKS), _STEPS[-1])
    count = int(seconds // step)
    return tuple((100 * it * step / seconds, _clock(it * step)) for it in range(count + 1))


def _clock(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60}:{seconds % 60:02} min"
