"""A packed source tree on the controller."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from engine.refusal import refuse

T = TypeVar("T")


@dataclass(frozen=True)
class Archive:
    """A packed source: a .tar.gz on the controller. `key` is the digest of what is in it.

    The file never changes, and to unpack 20 MB takes 150 ms: what was once read out of it is kept
    beside it.
    """

    path: Path
    sha256: str
    key: str

    @classmethod
    def at(cls, path: Path) -> Archive:
        """The archive in this file. Raises RefusedError where it is no whole one."""
        sha256, key = _cached(path, "digests", lambda: _digests(path))
        return cls(path, sha256, key)

    def read(self, name: str) -> str | None:
        """The text of one file of the source, or None where it has no such file."""
        return _cached(self.path, f"text of {name}", lambda: self._read(name))

    def digest_of(self, *folders: str) -> str:
        """Hex digest of what lies in these folders: the same for two sources that differ elsewhere."""
        return _cached(self.path, f"digest of {' '.join(folders)}", lambda: self._digest_of(folders))

    def cached(self, what: str, make: Callable[[], T]) -> T:
        """What somebody else finds in the archive, made once; it must fit into JSON."""
        return _cached(self.path, what, make)

    def _read(self, name: str) -> str | None:
        with tarfile.open(self.path) as tar:
            try:
                member = tar.extractfile(name)
            except KeyError:
                return None
            return member.read().decode("utf-8") if member else None

    def _digest_of(self, folders: tuple[str, ...]) -> str:
        digest = hashlib.sha256()
        with tarfile.open(self.path) as tar:
            for member in sorted(tar.getmembers(), key=lambda it: it.name):
                if member.name.split("/", 1)[0] not in folders:
                    continue
                content = tar.extractfile(member) if member.isfile() else None
                inner = hashlib.sha256(content.read() if content else member.linkname.encode())
                executable = member.mode & 0o100
                digest.update(f"{member.name}\0{executable}\0{inner.hexdigest()}\n".encode())
        return digest.hexdigest()


def _digests(path: Path) -> list[str]:
    packed = path.read_bytes()
    try:
        unpacked = gzip.decompress(packed)
    except (OSError, EOFError) as error:
        raise refuse(
            f"a whole {path.name} in the controller's cache", str(error), f"delete {path}"
        ) from error
    return [hashlib.sha256(packed).hexdigest(), hashlib.sha256(unpacked).hexdigest()]


def _cached(path: Path, what: str, make: Callable[[], T]) -> T:
    """What `make` finds in the archive at `path`, made once as long as that file is the same."""
    file = path.with_name(f"{path.name}.json")
    status = path.stat()
    same = {"size": status.st_size, "time": status.st_mtime_ns}
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        stored = {}
    if {name: stored.get(name) for name in same} != same:
        stored = same
    if what not in stored:
        stored[what] = make()
        part = file.with_name(f"{file.name}.{os.getpid()}.part")
        part.write_text(json.dumps(stored), encoding="utf-8")
        part.rename(file)
    found: T = stored[what]
    return found
