"""How the versions of an ecosystem compare, and whether an advisory's ranges hold one. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cmp_to_key
from itertools import zip_longest
from typing import Any

from packaging.version import Version

# What a version is compared by. Raises ValueError where the text is no version of the ecosystem.
Key = Callable[[str], Any]

_SEMVER = re.compile(r"v?(\d+(?:\.\d+)*)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?")
# In the order of Debian's policy, 5.6.12: digits are compared as numbers, what is between them as text.
_PIECES = re.compile(r"(\D*)(\d*)")


def key_of(ecosystem: str) -> Key:
    """How versions of an ecosystem compare, e.g. of "PyPI", "npm" or "Debian:12"."""
    family = ecosystem.partition(":")[0]
    return {"PyPI": Version, "Debian": debian}.get(family, semver)


def semver(text: str) -> Any:
    """The key of a semantic version; missing numbers are 0, as ranges of npm write them."""
    match = _SEMVER.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text} is no semantic version")
    numbers = [int(it) for it in match[1].split(".")]
    numbers += [0] * (3 - len(numbers))
    parts = match[2].split(".") if match[2] else []
    before = tuple((0, int(it), "") if it.isdigit() else (1, 0, it) for it in parts)
    return tuple(numbers), not before, before


def debian(text: str) -> Any:
    """The key of a version of a Debian package."""
    if not re.fullmatch(r"[0-9][A-Za-z0-9.+~:-]*", text):
        raise ValueError(f"{text} is no version of a Debian package")
    return cmp_to_key(_compare)(text)


def _compare(one: str, other: str) -> int:
    """As dpkg: epoch, then upstream's version, then the revision."""
    for mine, yours in zip(_parts(one), _parts(other), strict=True):
        if order := _compare_part(mine, yours):
            return order
    return 0


def _parts(text: str) -> tuple[str, str, str]:
    epoch, colon, rest = text.rpartition(":")
    upstream, dash, revision = rest.rpartition("-")
    return (epoch if colon else "0", upstream if dash else rest, revision if dash else "0")


def _compare_part(one: str, other: str) -> int:
    for (text, number), (text_2, number_2) in zip_longest(
        _PIECES.findall(one), _PIECES.findall(other), fillvalue=("", "")
    ):
        mine, yours = (_order(text), int(number or 0)), (_order(text_2), int(number_2 or 0))
        if mine != yours:
            return -1 if mine < yours else 1
    return 0


def _order(text: str) -> list[int]:
    """Letters before all else but the end, and `~` before even that."""
    found = [-1 if it == "~" else ord(it) + (0 if it.isalpha() else 256) for it in text]
    return [*found, 0]


def affected(version: str, entry: Mapping[str, Any], key: Key) -> bool:
    """Whether a version is among those that an entry of `affected` in an advisory names.

    Raises ValueError where they cannot be compared.
    """
    if any(it == version for it in entry.get("versions", ())):
        return True
    ranges = [it for it in entry.get("ranges", ()) if it.get("type") != "GIT"]
    return any(_within(key(version), it.get("events", ()), key) for it in ranges)


def _within(version: Any, events: Iterable[Mapping[str, str]], key: Key) -> bool:
    """By the rule of the form: the last event at or before the version decides."""
    found = False
    named = [(name, text) for it in events for name, text in it.items()]
    for name, text in sorted(named, key=lambda it: _place(it, key)):
        if name == "introduced" and (text == "0" or version >= key(text)):
            found = True
        elif (name == "fixed" and version >= key(text)) or (name == "last_affected" and version > key(text)):
            found = False
    return found


def _place(event: tuple[str, str], key: Key) -> Any:
    # A version that is fixed and introduced anew at once is affected.
    name, text = event
    return (text != "0", key(text) if text != "0" else 0, name == "introduced")


def fixed_in(version: str, entry: Mapping[str, Any], key: Key) -> str:
    """The oldest version after this one that an entry names as fixed; empty where there is none."""
    events = [
        it for one in entry.get("ranges", ()) if one.get("type") != "GIT" for it in one.get("events", ())
    ]
    later = [it["fixed"] for it in events if "fixed" in it and key(it["fixed"]) > key(version)]
    return min(later, key=key, default="")
