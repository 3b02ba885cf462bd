"""Large contents that hosts of a fleet pass on to each other: whom a host asks, and the lines that ask.

The hosts of a run stand in a chain behind the store, in the inventory's order. Every host fetches piece by
piece from the one before it, while that fetches itself. Why a chain:
docs/store.md#hosts-that-pass-on.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from engine import paths, remote

# So many are asked before the store.
NEAREST = 3


@dataclass(frozen=True)
class Passing:
    """What a host gets from others, and passes on itself."""

    places: tuple[str, ...]  # URLs of hosts, the nearest first; the store's is the last
    archive: str  # sha256 of Ollama's archive; empty: none comes
    layer: str  # sha256 of the model's largest part; empty: none comes


def places_of(name: str, urls: Sequence[tuple[str, str]], store: str) -> tuple[str, ...]:
    """The URLs that a host asks. `urls`: names and URLs of all that pass on, in the inventory's order."""
    names = [one for one, _ in urls]
    before = urls[: names.index(name)] if name in names else ()
    return (*(url for _, url in before[-NEAREST:][::-1]), store)


def lines(passing: Passing | None, digest: str, into: str) -> str:
    """Lines of a job that get a content, as far as that goes, to the path where the job wants it."""
    if passing is None or not digest:
        return ""
    arguments = [paths.PEER, digest, into, *passing.places]
    text = remote.script("fetch_pieces.py")
    return f"{remote.PYTHON} -I -S - {shlex.join(arguments)} <<'PYTHON' || true\n{text}PYTHON\n"
