"""The waves in which the hosts of a run switch. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.declared.rollout import Rollout

CANARY = "canary"


@dataclass(frozen=True)
class Wave:
    """Hosts that switch side by side."""

    name: str  # "canary", "wave 1 of 3"; empty: all hosts at once
    hosts: tuple[str, ...]

    @property
    def title(self) -> str:
        """What the operation is called in which they switch."""
        return f"Switch | {self.name}" if self.name else "Switch"


def waves(rollout: Rollout, hosts: Sequence[str]) -> tuple[Wave, ...]:
    """The waves of a run, its canary first. `hosts`: all of the run by name, in the inventory's order.

    Where the inventory names no canary, it is the first host. Where it names only hosts that are not in
    the run, there is none. Every host is in one wave, whether it will have to switch or not: so the waves
    are known before anybody is asked, and a wave of which nobody has to switch takes no time.
    """
    named = rollout.canary or tuple(hosts[:1])
    first = tuple(it for it in hosts if it in named)
    rest = [it for it in hosts if it not in named]
    size = rollout.size(len(hosts))
    groups = [tuple(rest[at : at + size]) for at in range(0, len(rest), size)]
    return (
        *([Wave(CANARY, first)] if first else []),
        *(Wave(f"wave {number} of {len(groups)}", group) for number, group in enumerate(groups, 1)),
    )


def describe_rollout(rollout: Rollout, hosts: Sequence[str]) -> str:
    """The waves as a block of text, one line each, as a plan is."""
    failures = rollout.max_failures + 1
    stops = "after a failure" if failures == 1 else f"after a failure of the canary, or {failures} others"
    rows = [(it.name, ", ".join(it.hosts)) for it in waves(rollout, hosts)]
    rows += [("watched", f"each for {rollout.pause} s"), ("stops", stops)]
    width = max(len(subject) for subject, _ in rows)
    return "\n".join(["rollout", *(f"  {subject:<{width}}  {text}" for subject, text in rows)])
