"""Reads a lock as text: which packages, and which of them asked for which (uv's `# via`). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from packaging.utils import canonicalize_name

_PACKAGE = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(\[[^\]]*\])?==(?P<version>[^\s;\\]+)")
_VIA = re.compile(r" {4}# +(via +)?(?P<who>\S.*)")


@dataclass(frozen=True)
class Listed:
    """One package of a lock. `via`: packages, and requirements files as `-r FILE`."""

    name: str
    version: str
    via: tuple[str, ...]


def listed(lock: str) -> dict[str, Listed]:
    """The packages of a lock by normalized name."""
    found: dict[str, Listed] = {}
    name = ""
    for line in lock.splitlines():
        if package := _PACKAGE.match(line):
            name = canonicalize_name(package["name"])
            found[name] = Listed(name, package["version"], ())
        elif name and (via := _VIA.fullmatch(line)) and via["who"] != "via":
            it = found[name]
            found[name] = Listed(it.name, it.version, (*it.via, via["who"]))
    return found


def chain(have: Mapping[str, Listed], name: str) -> list[str]:
    """The shortest way to a package, from the requirements file that begins it."""
    ways = [[name]]
    seen = {name}
    for way in ways:
        for who in have[way[0]].via if way[0] in have else ():
            if who.startswith("-"):
                # A constraint brings nothing in.
                if who.startswith("-r "):
                    return [who.removeprefix("-r ").strip(), *way]
            elif (parent := canonicalize_name(who.partition("[")[0])) not in seen:
                seen.add(parent)
                ways.append([parent, *way])
    return ways[-1]
