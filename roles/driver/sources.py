"""The sources of Debian's packages that a host has, and those of ours beside them (sources.list(5)). Pure.

apt refuses to read one place with two keys, so ours name the places that the host has, and the same keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

FILE = "/etc/apt/sources.list.d/venom-nvidia.sources"
COMPONENTS = ("contrib", "non-free", "non-free-firmware")
HEADER = "# Managed by the Venom provisioner: what is changed here is changed back.\n"
_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)")
_OFF = ("no", "false")


@dataclass(frozen=True)
class Place:
    """Where packages come from: one URI and suite."""

    uri: str
    suite: str
    components: frozenset[str]
    key: str  # as it stands there: a path, or the key itself over several lines; empty: apt's own keys


def further(lines: Sequence[str], codename: str) -> str:
    """The text of our file: what the host's sources of this release lack. Empty where they have it all.

    `lines`: "file=PATH" and "line=TEXT", as look_driver.sh prints them.
    """
    have: dict[tuple[str, str], list[Place]] = {}
    for it in places(lines):
        of = it.suite.partition("-")[0].partition("/")[0]
        if of == codename and not it.suite.endswith("backports"):
            have.setdefault((it.uri.rstrip("/"), it.suite), []).append(it)
    text = ""
    for (uri, suite), there in have.items():
        components = frozenset().union(*(it.components for it in there))
        lacking = [it for it in COMPONENTS if it not in components]
        if "main" in components and lacking:
            text += f"\nTypes: deb\nURIs: {uri}\nSuites: {suite}\nComponents: {' '.join(lacking)}\n"
            text += f"Signed-By: {there[0].key}\n" if there[0].key else ""
    return f"{HEADER}{text}" if text else ""


def places(lines: Sequence[str]) -> Iterator[Place]:
    """Every place in the host's files, of both forms."""
    files: list[tuple[str, list[str]]] = []
    for line in lines:
        name, _, value = line.partition("=")
        if name == "file":
            files.append((value, []))
        elif name == "line" and files:
            files[-1][1].append(value)
    for path, texts in files:
        yield from _of_stanzas(texts) if path.endswith(".sources") else _of_lines(texts)


def _of_lines(texts: Sequence[str]) -> Iterator[Place]:
    for text in texts:
        if match := _LINE.match(text.strip()):
            options = dict(it.partition("=")[::2] for it in (match["options"] or "").split())
            components = match["components"].partition("#")[0].split()
            yield Place(match["uri"], match["suite"], frozenset(components), options.get("signed-by", ""))


def _of_stanzas(texts: Sequence[str]) -> Iterator[Place]:
    fields: dict[str, str] = {}
    for text in [*texts, ""]:
        if not text.strip():
            yield from _of_fields(fields)
            fields = {}
        elif text.startswith((" ", "\t")) and fields:
            fields[next(reversed(fields))] += f"\n{text}"
        elif not text.startswith("#"):
            name, _, value = text.partition(":")
            fields[name.strip().lower()] = value.strip()


def _of_fields(fields: dict[str, str]) -> Iterator[Place]:
    if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in _OFF:
        return
    components, key = frozenset(fields.get("components", "").split()), fields.get("signed-by", "")
    for uri in fields.get("uris", "").split():
        for suite in fields.get("suites", "").split():
            yield Place(uri, suite, components, key)
