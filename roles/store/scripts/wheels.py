"""Which file of a Python package a host installs, of those that an index lists. Pure.

Runs on the host that serves the store, imported by its job; and on the controller, for bundles. An index has
dozens of files of a version. The one that uv takes is that with the most specific tags that the interpreter
and the platform have (PEP 425, 600); where there is none, the source distribution.
"""

from __future__ import annotations

import html.parser
import json
import re
import urllib.parse
from collections.abc import Iterable, Sequence

# The oldest C library of the supported systems, glibc 2.N: Ubuntu 22.04 has it.
GLIBC_MINOR = 35
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_OLD = {"manylinux1": 5, "manylinux2010": 12, "manylinux2014": 17}
File = tuple[str, str, str]  # name, URL, "sha256:HEX" or nothing


class _Page(html.parser.HTMLParser):
    """The files that a page of an index names (PEP 503)."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.files: list[File] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href") if tag == "a" else None
        if href:
            url, _, fragment = urllib.parse.urljoin(self.url, href).partition("#")
            digest = fragment.replace("=", ":", 1) if fragment.startswith("sha256=") else ""
            name = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])
            self.files.append((name, url, digest))


def files_of(url: str, text: str) -> list[File]:
    """The files of a page, be it HTML or JSON."""
    return of_json(url, text) if text.lstrip().startswith("{") else of_html(url, text)


def of_html(url: str, text: str) -> list[File]:
    """The files of a page by PEP 503."""
    page = _Page(url)
    page.feed(text)
    return page.files


def of_json(url: str, text: str) -> list[File]:
    """The files of a page by PEP 691; another raises ValueError, LookupError, TypeError or AttributeError."""
    found = []
    for it in json.loads(text)["files"]:
        digest = it.get("hashes", {}).get("sha256", "")
        found.append((it["filename"], urllib.parse.urljoin(url, it["url"]), digest and f"sha256:{digest}"))
    return found


def best(names: Iterable[str], fits: Sequence[str]) -> str | None:
    """Of these files the one that is installed, for (Python's minor version, architecture); None: none is."""
    ranked = [(it, name) for name in names if (it := rank(name, *fits)) is not None]
    return min(ranked)[1] if ranked else None


def rank(name: str, python: str, arch: str) -> tuple[int, int] | None:
    """How well a file suits: less is better; None where it does not."""
    if name.endswith((".tar.gz", ".zip")):
        return (9999, 0)
    parts = name.removesuffix(".whl").split("-")
    # Distribution, version, perhaps a build, and the three tags.
    if not name.endswith(".whl") or len(parts) not in (5, 6):
        return None
    pythons, abis, platforms = (it.split(".") for it in parts[-3:])
    ranks = [
        (interpreter + (1000 if platform == "any" else 0), age)
        for interpreter in (
            _interpreter(it, abi, int(python.split(".")[1])) for it in pythons for abi in abis
        )
        for platform in platforms
        if interpreter is not None and (age := _platform(platform, MACHINES[arch])) is not None
    ]
    return min(ranks, default=None)


def _interpreter(tag: str, abi: str, minor: int) -> int | None:
    if tag.startswith("cp3") and tag[3:].isdigit():
        older = minor - int(tag[3:])
        if older == 0 and abi in ("cp3%d" % minor, "abi3", "none"):
            return ("cp3%d" % minor, "abi3", "none").index(abi)
        return 2 + older if older > 0 and abi == "abi3" else None
    if abi != "none" or not re.fullmatch(r"py3\d*", tag):
        return None
    if tag == "py3":
        return 101
    older = minor - int(tag[3:])
    return None if older < 0 else 100 if older == 0 else 101 + older


def _platform(tag: str, machine: str) -> int | None:
    if tag == "any":
        return 0
    name, _, rest = tag.partition("_")
    if not tag.endswith("_" + machine):
        return None
    if name == "manylinux" and (match := re.match(r"2_(\d+)_", rest)):
        newest = int(match[1])
    elif name in _OLD:
        newest = _OLD[name]
    else:
        return 99 if name == "linux" else None
    return GLIBC_MINOR - newest if newest <= GLIBC_MINOR else None
