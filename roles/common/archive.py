"""A packed source tree on the controller."""

from __future__ import annotations

import hashlib
import os
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

    def digest_of(self, *folders: str) -> str:
        """Hex digest of what lies in these folders: the same for two sources that differ elsewhere.

        Kept beside the archive, which never changes: reading 20 MB in every run would be a waste.
        """
        kept = self.path.with_name(f"{self.path.name}.{'+'.join(folders)}.sha256")
        if kept.exists():
            return kept.read_text(encoding="ascii")
        digest = hashlib.sha256()
        with tarfile.open(self.path) as tar:
            for member in sorted(tar.getmembers(), key=lambda it: it.name):
                if member.name.split("/", 1)[0] not in folders:
                    continue
                content = tar.extractfile(member) if member.isfile() else None
                inner = hashlib.sha256(content.read() if content else member.linkname.encode())
                executable = member.mode & 0o100
                digest.update(f"{member.name}\0{executable}\0{inner.hexdigest()}\n".encode())
        part = kept.with_name(f"{kept.name}.{os.getpid()}.part")
        part.write_text(digest.hexdigest(), encoding="ascii")
        part.rename(kept)
        return digest.hexdigest()
