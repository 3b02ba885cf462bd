"""What locks and manifests list: packages with their digests, tarballs, blobs. Pure: texts in, data out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote

_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")
# npm's words for Debian's architectures.
_NPM_CPUS = {"amd64": "x64", "arm64": "arm64"}


@dataclass(frozen=True)
class Locked:
    """A package of a lock. `digests`: "sha256:HEX" of each file that the index has of this version."""

    name: str  # as an index calls it (PEP 503)
    version: str
    digests: tuple[str, ...]


@dataclass(frozen=True)
class Tarball:
    """A package of npm's lock. `path`: below the registry, e.g. "next/-/next-16.1.6.tgz"."""

    name: str
    version: str
    integrity: str  # "sha512-BASE64"; empty where the lock has none
    path: str


@dataclass(frozen=True)
class Blob:
    """A part that the manifest of a model or an image names."""

    sha256: str
    size: int  # bytes


@cache
def packages(lock: str) -> tuple[Locked, ...]:
    """The packages of a requirements file with hashes, as `uv pip compile` writes it."""
    found = []
    for line in re.split(r"(?<!\\)\n", lock):
        match = _REQUIREMENT.match(line)
        if match:
            name = re.sub(r"[-_.]+", "-", match["name"]).lower()
            found.append(Locked(name, match["version"], tuple(_HASH.findall(line))))
    return tuple(found)


@cache
def tarballs(lock: str, arch: str) -> tuple[Tarball, ...]:
    """What `npm ci` fetches by this package-lock.json on Debian of this architecture (Debian's name)."""
    found = []
    for folder, entry in json.loads(lock)["packages"].items():
        # The first is the project; a link leads to a folder of it; what is bundled comes within another.
        if folder and not entry.get("link") and not entry.get("inBundle") and _runs_here(entry, arch):
            name = entry.get("name") or folder.rpartition("node_modules/")[2]
            version, integrity = entry["version"], entry.get("integrity", "").partition(" ")[0]
            found.append(Tarball(name, version, integrity, tarball_path(name, version)))
    return tuple(dict.fromkeys(found))


def tarball_path(name: str, version: str) -> str:
    """Where a registry has the tarball of a package."""
    return f"{name}/-/{name.rpartition('/')[2]}-{quote(version, safe='')}.tgz"


def blobs(manifest: Mapping[str, Any]) -> Iterator[Blob]:
    """The parts of a manifest: its configuration and its layers; of a list, the manifests."""
    config = [manifest["config"]] if "config" in manifest else []
    for part in (*config, *manifest.get("layers", ()), *manifest.get("manifests", ())):
        yield Blob(part["digest"].removeprefix("sha256:"), part["size"])


def _runs_here(entry: Mapping[str, Any], arch: str) -> bool:
    """Whether npm installs a package here: it names the platforms that it is for, or with ! is not for."""
    here = {"os": "linux", "cpu": _NPM_CPUS[arch], "libc": "glibc"}
    return all(_among(word, entry.get(key, ())) for key, word in here.items())


def _among(word: str, allowed: str | list[str]) -> bool:
    words = [allowed] if isinstance(allowed, str) else list(allowed)
    if f"!{word}" in words:
        return False
    wanted = [it for it in words if not it.startswith("!")]
    return not wanted or word in wanted or "any" in wanted
