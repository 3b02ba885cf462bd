"""What the inventory says of how a change reaches its hosts: canary, waves, and when to stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.reading.document import Document
from schemas.reading.problem import Problem, did_you_mean, listed
from schemas.reading.validate import schema

_KEY = "rollout"


@dataclass(frozen=True)
class Rollout:
    """How hosts switch one wave after the other."""

    canary: tuple[str, ...]  # hosts that switch first; none: the first host of a run
    wave: int  # how many switch at once after them: hosts, or per cent of a run's hosts
    share: bool  # whether that is per cent
    pause: int  # seconds for which a wave is watched
    max_failures: int  # hosts besides the canary that may fail before nobody else switches

    def size(self, hosts: int) -> int:
        """How many hosts of a wave there are in a run of so many: one at the least."""
        return max(1, hosts * self.wave // 100) if self.share else self.wave


def rollout_of(document: Document, data: Mapping[str, Any], problems: list[Problem]) -> Rollout | None:
    """That of an inventory; None where it has none. `data`: what its schema left of it.

    Adds to `problems` each canary that is no host of it, or is named twice.
    """
    if _KEY not in data:
        return None
    rules = schema("inventory")["properties"][_KEY]["properties"]
    defaults = {name: rule["default"] for name, rule in rules.items() if "default" in rule}
    written = {**defaults, **data[_KEY]}
    wave = written["wave"]
    return Rollout(
        canary=_canary(document, written.get("canary", []), list(data.get("hosts", {})), problems),
        wave=int(str(wave).removesuffix("%")),
        share=isinstance(wave, str),
        pause=written["pause"],
        max_failures=written["max_failures"],
    )


def _canary(
    document: Document, written: str | list[str], hosts: Sequence[str], problems: list[Problem]
) -> tuple[str, ...]:
    named = [written] if isinstance(written, str) else written
    for at, name in enumerate(named):
        keys = (_KEY, "canary") if isinstance(written, str) else (_KEY, "canary", at)
        if name not in hosts:
            hint = did_you_mean(name, hosts) or "name a host of this file"
            problems.append(document.problem(keys, f'"{name}"', listed(hosts), hint))
        elif name in named[:at]:
            problems.append(
                document.problem(keys, f'"{name}" twice', "each host once", "remove one of the two")
            )
    return tuple(named)
