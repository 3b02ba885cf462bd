"""The archive of a bundle in parts that are read and written as one stream. Python's own library only."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from fleet.bundle.manifest import Part

PREFIX = "tree.tar"
CHUNK = 1 << 20


class Writer(io.RawIOBase):
    """A stream that goes into files of at most `limit` bytes; 0: into one. Closed, it has `parts`."""

    def __init__(self, folder: Path, limit: int = 0) -> None:
        self._folder, self._limit = folder, limit
        self._file: BinaryIO | None = None
        self._digest, self._size = hashlib.sha256(), 0
        self.parts: list[Part] = []

    def writable(self) -> bool:
        """It is for writing only."""
        return True

    def write(self, data: Any, /) -> int:
        """Write all of it, in as many parts as that takes."""
        rest = memoryview(data)
        while rest:
            if self._file is None or (self._limit and self._size == self._limit):
                self._next()
                self._file = (self._folder / self._name).open("xb")
            taken = rest[: self._limit - self._size] if self._limit else rest
            self._file.write(taken)
            self._digest.update(taken)
            self._size += len(taken)
            rest = rest[len(taken) :]
        return len(data)

    def close(self) -> None:
        """Close the last part."""
        self._next()
        super().close()

    @property
    def _name(self) -> str:
        return f"{PREFIX}.{len(self.parts) + 1:03}"

    def _next(self) -> None:
        if self._file is None:
            return
        self._file.close()
        self.parts.append(Part(self._name, self._digest.hexdigest(), self._size))
        self._file, self._digest, self._size = None, hashlib.sha256(), 0


class Reader(io.RawIOBase):
    """The stream that these parts are, one after the other."""

    def __init__(self, folder: Path, parts: Sequence[Part]) -> None:
        # All of them now: who reads on may not be whom the bundle's folder lets in.
        self._waiting: list[BinaryIO] = [(folder / it.name).open("rb") for it in parts]
        self._file: BinaryIO | None = None

    def readable(self) -> bool:
        """It is for reading only."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Up to so many bytes; fewer only at the end."""
        found = list[bytes]()
        while size:
            if self._file is None:
                if not self._waiting:
                    break
                self._file = self._waiting.pop(0)
            chunk = self._file.read(size)
            if not chunk:
                self._file.close()
                self._file = None
                continue
            found.append(chunk)
            size -= len(chunk) if size > 0 else 0
        return b"".join(found)

    def close(self) -> None:
        """Close every part."""
        for file in (*([self._file] if self._file else []), *self._waiting):
            file.close()
        self._file, self._waiting = None, []
        super().close()
