"""Packs items into the archive of a bundle: the same files give the same bytes. Python's own library only."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fleet.bundle.fault import BundleError
from fleet.bundle.manifest import Item, Part
from fleet.bundle.parts import Writer

Progress = Callable[[str, int], None]  # what is being done, and bytes of it so far


def silent(_what: str, _done: int) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Have:
    """An item and the file that holds it."""

    item: Item
    file: Path


def pack(
    having: Iterable[Have], folder: Path, limit: int = 0, progress: Progress = silent
) -> tuple[Part, ...]:
    """Write the archive of these items into `folder`, in parts of at most `limit` bytes (0: in one).

    Raises BundleError where a file is not what its item says: it changed since it was verified.
    """
    done = 0
    with (
        Writer(folder, limit) as writer,
        # PAX has no limit on sizes and names; neither owner nor time is in it but as zero.
        tarfile.open(fileobj=writer, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for it in having:
            entry = tarfile.TarInfo(it.item.path)
            entry.size = it.item.size
            with it.file.open("rb") as file:
                source = _Hashed(file)
                try:
                    tar.addfile(entry, source)
                except OSError as error:
                    if error.errno is not None:
                        raise
                    raise _changed(it) from error  # it is shorter than it was
                if source.digest.hexdigest() != it.item.sha256 or file.read(1):
                    raise _changed(it)
            done += it.item.size
            progress("packing", done)
    return tuple(writer.parts)


class _Hashed:
    """A file that keeps the digest of what was read of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _changed(it: Have) -> BundleError:
    return BundleError(
        f"{it.item.name} with sha256 {it.item.sha256}", f"{it.file} holds something else", f"rm {it.file}"
    )


def digest(file: Path, algorithm: str = "sha256") -> str:
    """A digest of a file, in hex digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, algorithm).hexdigest()
