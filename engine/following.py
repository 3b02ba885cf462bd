"""Differences in the inventory's words, with what of the plan follows from them in one line. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.resources import Difference
from schemas.plan.compare import follow


@dataclass(frozen=True)
class Following(Difference):
    """A value of the plan (`plan NAME`) that changes with what the inventory says, listed before it."""


def folded(differences: Iterable[Difference]) -> list[str]:
    """Each difference as it is reported; of those that follow only how many are not listed already."""
    lines: list[str] = []
    listed: set[str] = set()
    at, count = 0, 0
    for it in differences:
        if isinstance(it, Following):
            at = at or len(lines)
            count += it.thing.removeprefix("plan ") not in listed
        else:
            listed.add(it.thing)
            lines.append(str(it))
    return [*lines[:at], follow(count), *lines[at:]] if count else lines
