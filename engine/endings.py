"""How hosts of a run ended, in few words: those that ended alike are one. Pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# What a summary names of one kind of change; the rest is counted.
NAMED = 6
WIDTH = 100
# So many hosts that ended alike are reported as one; fewer each with its own address and times.
ALIKE = 3

# "(48 s)", "(2 min, 33 MB downloaded)": how long it took on one host.
_TOOK = re.compile(r" \([^()]*\b(s|min|h|days)\b[^()]*\)$")
# What only one host can say: how it is opened, and when it was ready.
_OWN = re.compile(r"^(open \S+.*|\d+ s after the start)$")


@dataclass(frozen=True)
class Ending:
    """How one host ended."""

    host: str
    color: str
    text: str  # what it serves, or why it does not
    done: Mapping[str, Sequence[str]] = field(default_factory=dict)  # what was changed, by kind
    besides: Sequence[str] = ()

    @property
    def whole(self) -> str:
        """All that there is to say of it."""
        return "\n".join([self.text, *changes(self.done), *self.besides])

    @property
    def common(self) -> str:
        """What hosts that ended alike have in common."""
        lines = [it for it in self.text.splitlines() if not _OWN.match(it)]
        done = {what: [_TOOK.sub("", it) for it in things] for what, things in self.done.items()}
        return "\n".join([*lines, *changes(done), *self.besides])


def folded(endings: Sequence[Ending]) -> list[tuple[list[str], str, str]]:
    """(hosts, text, colour) of each block, in the order of their first hosts."""
    alike: dict[tuple[str, str], list[Ending]] = {}
    for it in endings:
        alike.setdefault((it.color, it.common), []).append(it)
    blocks = list[tuple[list[str], str, str]]()
    for (color, text), group in alike.items():
        if len(group) < ALIKE:
            blocks += [([it.host], it.whole, color) for it in group]
        else:
            blocks.append(([it.host for it in group], text, color))
    return blocks


def changes(done: Mapping[str, Sequence[str]]) -> list[str]:
    """What was changed on a host, a line or more a kind, in the order in which it happened."""
    lines = []
    for what, things in done.items():
        # One more takes no more room than to say that there is one more.
        shown = list(things) if len(things) <= NAMED + 1 else [*things[:NAMED], f"{len(things) - NAMED} more"]
        text = f"{what:<9} {', '.join(shown)}" if shown else ""
        lines += textwrap.wrap(text, WIDTH, subsequent_indent=" " * 10, break_long_words=False)
    return lines
