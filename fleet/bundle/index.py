"""What an index of Python packages says of one of them, and which of its files a host installs. Pure.

A store that fetches for itself reads and chooses by the same code (roles/store/scripts/wheels.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from roles.store.scripts import wheels

ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.2"


@dataclass(frozen=True)
class File:
    """One file of a package."""

    name: str
    url: str
    sha256: str  # hex; empty where the index does not say


def files(page: str, url: str, content_type: str) -> list[File]:
    """The files that the page at `url` lists. Raises ValueError for no page of an index."""
    read = wheels.of_json if "json" in content_type else wheels.of_html
    try:
        return [File(name, at, digest.removeprefix("sha256:")) for name, at, digest in read(url, page)]
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError("no page of an index") from error


def chosen(found: Sequence[File], digests: Collection[str], python: str, arch: str) -> File | None:
    """The file of these digests ("sha256:HEX") that a host with this Python and architecture installs."""
    allowed = {it.name: it for it in found if f"sha256:{it.sha256}" in digests}
    name = wheels.best(allowed, (python, arch))
    return allowed[name] if name is not None else None
