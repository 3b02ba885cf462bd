"""A packed source tree on the controller."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Archive:
    """A packed source: a .tar.gz on the controller. `key` is the digest of what is in it."""

    path: Path
    sha256: str
    key: str

    def read(self, name: str) -> str | None:
        """The text of one file of the source, or None where it has no such file."""
        with tarfile.open(self.path) as tar:
            try:
                member = tar.extractfile(name)
            except KeyError:
                return None
            return member.read().decode("utf-8") if member else None
