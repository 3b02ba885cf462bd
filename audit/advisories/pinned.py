"""What is pinned, with its version and the place that pins it: locks, pins, and Node's tree of a source."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from audit.tree import SourceError
from schemas.data.pins import Pins

_DATA = Path(__file__).parents[2] / "schemas" / "data"
_LOCKS = ("locks", "engines")  # folders of the releases' locks, and of the model servers'
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
_TREE = "web-next/package-lock.json"
_ALSO = re.compile(r"(?P<ecosystem>[^/=]+(?::[^/=]+)?)/(?P<name>[^=]+)==(?P<version>\S+)")
# What pins.yaml has, by what advisories call it. Of programs that no registry has, Bitnami's list does.
_ARTIFACTS = {
    "ollama": ("Go", "github.com/ollama/ollama"),
    "node": ("Bitnami", "node"),
    "python": ("Bitnami", "python"),
}


@dataclass(frozen=True)
class Pinned:
    """A version of a package, and where it is pinned."""

    ecosystem: str
    name: str
    version: str
    place: str  # for the operator


def locked() -> Iterator[Pinned]:
    """What the locks have."""
    for file in (file for folder in _LOCKS for file in sorted((_DATA / folder).rglob("*.txt"))):
        place = f"schemas/data/{file.relative_to(_DATA)}"
        for match in _REQUIREMENT.finditer(file.read_text(encoding="utf-8")):
            yield Pinned("PyPI", match[1], match[2], place)


def in_pins(pins: Pins) -> Iterator[Pinned]:
    """What the pins have, whichever of it an inventory uses."""
    place = "schemas/data/pins.yaml"
    for kind, (ecosystem, name) in _ARTIFACTS.items():
        for version in pins.artifacts.get(kind, {}):
            yield Pinned(ecosystem, name, version, f"{place}: {kind} {version}")
    yield Pinned("PyPI", "uv", pins.uv_version, f"{place}: uv")
    for name, font in pins.fonts.items():
        yield Pinned("npm", name, font.version, f"{place}: fonts")


def in_source(source: Path, commit: str) -> Iterator[Pinned]:
    """What Node's tree of a Venom has. `commit`: of the git repository `source`; empty: it is a folder."""
    place = f"{commit}:{_TREE}" if commit else str(source / _TREE)
    try:
        packages = json.loads(_text(source, commit))["packages"]
        listed = {name: it["version"] for name, it in packages.items() if name and "version" in it}
    except (OSError, ValueError, KeyError, TypeError) as error:
        found = f"{place}: {error}"
        raise SourceError("Node's tree in a Venom", found, "name Venom's folder, or --release") from error
    for path, version in listed.items():
        name = packages[path].get("name") or path.rpartition("node_modules/")[2]
        yield Pinned("npm", name, version, place)


def _text(source: Path, commit: str) -> str:
    if not commit:
        return (source / _TREE).read_text(encoding="utf-8")
    command = ["git", "-c", "safe.directory=*", "-C", str(source), "show", f"{commit}:{_TREE}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise OSError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "no message")
    return done.stdout


def named(also: Iterable[str]) -> Iterator[Pinned]:
    """What the operator names besides, e.g. "Debian:12/nginx==1.22.1-9+deb12u3". Raises SourceError."""
    for text in also:
        match = _ALSO.fullmatch(text)
        if match is None:
            example = "such as Debian:12/nginx==1.22.1-9+deb12u3"
            raise SourceError("--also ECOSYSTEM/NAME==VERSION", text, example)
        yield Pinned(match["ecosystem"], match["name"], match["version"], "--also")
