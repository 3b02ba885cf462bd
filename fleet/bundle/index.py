"""What an index of Python packages says of one of them, and which of its files a host installs. Pure.

By PEP 691 (JSON) and PEP 503 (HTML). A wheel is chosen as pip and uv choose one; where none fits, what
the wheel is built of.
"""

from __future__ import annotations

import html
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.2"
# The oldest C library of the supported systems: Ubuntu 22.04 has it.
GLIBC_MINOR = 35
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
# The older names of some of these platforms (PEP 513, 571, 599).
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


@dataclass(frozen=True)
class File:
    """One file of a package."""

    name: str
    url: str
    sha256: str  # hex; empty where the index does not say


def files(page: str, url: str, content_type: str) -> list[File]:
    """The files that the page at `url` lists. Raises ValueError for no page of an index."""
    if "json" in content_type:
        return _of_json(page, url)
    reader = _Links()
    reader.feed(page)
    return [_of_link(urljoin(url, it)) for it in reader.links]


def chosen(found: Sequence[File], digests: Collection[str], python: str, arch: str) -> File | None:
    """The file of these digests ("sha256:HEX") that a host with this Python and architecture installs."""
    allowed = [it for it in found if f"sha256:{it.sha256}" in digests]
    order = _order(python, arch)
    ranked = []
    for it in allowed:
        if places := [order[tag] for tag in _tags_of(it) if tag in order]:
            ranked.append((min(places), it.name, it))
    if ranked:
        return min(ranked)[2]
    return next((it for it in allowed if it.name.endswith((".tar.gz", ".zip"))), None)


def page(found: Iterable[tuple[str, str]]) -> str:
    """The page of a package in a static index: of these file names and hex digests."""
    lines = [
        f'<a href="{html.escape(name)}#sha256={digest}">{html.escape(name)}</a><br>'
        for name, digest in sorted(found)
    ]
    return "\n".join(["<!DOCTYPE html>", "<html><body>", *lines, "</body></html>", ""])


def _of_json(page: str, url: str) -> list[File]:
    try:
        return [
            File(it["filename"], urljoin(url, it["url"]), it["hashes"].get("sha256", ""))
            for it in json.loads(page)["files"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("no page of an index") from error


def _of_link(link: str) -> File:
    url, fragment = urldefrag(link)
    digest = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else ""
    return File(unquote(urlsplit(url).path.rpartition("/")[2]), url, digest)


class _Links(HTMLParser):
    """The links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]


@cache
def _order(python: str, arch: str) -> Mapping[Tag, int]:
    """The place of each tag that such a host can install; the first is the best."""
    return {tag: place for place, tag in enumerate(_tags(python, arch))}


def _tags(python: str, arch: str) -> Iterator[Tag]:
    """What such a host can install, best first."""
    major, minor = map(int, python.split("."))
    platforms = list(_platforms(MACHINES[arch]))
    # Its ABI is named, or this very interpreter's would be asked for.
    yield from cpython_tags((major, minor), [f"cp{major}{minor}"], platforms)
    yield from compatible_tags((major, minor), f"cp{major}{minor}", platforms)


def _platforms(machine: str) -> Iterator[str]:
    for minor in range(GLIBC_MINOR, 4, -1):
        yield f"manylinux_2_{minor}_{machine}"
        if minor in _OLD_NAMES:
            yield f"{_OLD_NAMES[minor]}_{machine}"
    yield f"linux_{machine}"


def _tags_of(file: File) -> Collection[Tag]:
    if not file.name.endswith(".whl"):
        return ()
    try:
        return parse_wheel_filename(file.name)[3]
    except InvalidWheelFilename:
        return ()
