"""What can be wrong with a declaration, and how it is reported: calm, complete, with the remedy.

Nothing in `schemas` stops at the first fault. Faults are gathered as `Problem`s and raised together
in one `ProblemsError`, whose text is what the operator reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

_LONGEST = 120  # characters of a found value that are shown


@dataclass(frozen=True)
class Problem:
    """One fault: where it is, what was found there, what is allowed, and what to do."""

    file: str
    line: int  # 1-based; 0 where no line can be named (a missing file)
    path: str  # dotted, e.g. "hosts.gpu1.profile"; empty for the file as a whole
    found: str
    allowed: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        lines = [f"{place}  {self.path}".rstrip(), f"  found    {_shown(self.found)}"]
        lines.append(f"  allowed  {self.allowed}")
        if self.hint:
            lines.append(f"  do       {self.hint}")
        return "\n".join(lines)


class ProblemsError(Exception):
    """Every problem that was found, in the order of the files' lines, each once."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(
            sorted(dict.fromkeys(problems), key=lambda p: (p.file, p.line, p.path, p.found))
        )
        super().__init__(str(self))

    def __str__(self) -> str:
        count = len(self.problems)
        head = f"{count} problem{'s' if count != 1 else ''}, nothing was changed:"
        return "\n\n".join([head, *map(str, self.problems)])

    def __reduce__(self) -> tuple[type, tuple[tuple[Problem, ...]]]:
        return (type(self), (self.problems,))


class InventoryError(ProblemsError):
    """The inventory, or something that it refers to on this machine, is not as it must be."""


class PlanError(ProblemsError):
    """What is declared cannot work: on any host, or on the hardware that was found."""


def nearest(word: object, known: Iterable[str], least: float = 0.6) -> str | None:
    """The known word that is most like `word`, or None where none is like it: 1 is the same word."""
    matches = get_close_matches(str(word), [k for k in known if k], n=1, cutoff=least)
    return matches[0] if matches else None


def did_you_mean(word: object, known: Iterable[str], least: float = 0.6) -> str:
    """The remedy for a misspelt word, or an empty string."""
    candidates = {k.lower(): k for k in known}
    match = nearest(str(word).lower(), candidates, least)
    return f'did you mean "{candidates[match]}"?' if match else ""


def listed(words: Iterable[str]) -> str:
    """Words as the "allowed" line lists them."""
    shown: Sequence[str] = [word if word else '""' for word in words]
    return ", ".join(shown) if shown else "nothing"


def _shown(text: str) -> str:
    """`text` on one line, of a length that can be read, without control characters."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return flat if len(flat) <= _LONGEST else flat[: _LONGEST - 1] + "…"
