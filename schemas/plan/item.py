"""One thing that a host needs from elsewhere, and its place in the tree of a store. Pure.

The tree is static. What lies in it lies once, under its digest (`sha256/HEX`). A *face* is the path under
which some tool asks for it, and a link to that. The faces:

    files/HOST/PATH                  release files, as `wget -x` writes them (what `mirrors.files` reads)
    v2/NAME/manifests/…, blobs/…     models of Ollama's registry, and container images
    pypi/NAME/                       Python packages, PEP 503 with hashes
    npm/NAME/-/FILE                  npm's tarballs
    sources/…, uis/…                 Venom's source and its built UI, packed
    debian/, debian-security/        Debian's packages, with the `InRelease` that Debian signed
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

FILE, MANIFEST, BLOB, IMAGE = "file", "manifest", "blob", "image"
PACKAGE, TARBALL, SOURCE, UI, DEBIAN = "package", "tarball", "source", "ui", "debian"
KINDS = (FILE, MANIFEST, BLOB, IMAGE, PACKAGE, TARBALL, SOURCE, UI, DEBIAN)


@dataclass(frozen=True)
class Item:
    """Something that has to be fetched, with all that says whether it is right.

    `digests`: "sha256:HEX", or npm's "sha512-BASE64"; the content has one of them. A Python package has one
    for each of its files; which of them fits, the index says. Without any, `unpinned` says why.
    """

    kind: str
    name: str  # for the operator, e.g. "node 24.21.0"
    digests: tuple[str, ...]
    size: int  # bytes; 0 where nothing that is pinned states it
    origins: tuple[str, ...]  # URLs, in the order in which they are tried; of a package: its page in an index
    face: str  # its path in the tree; of what is several files: their folder, with a slash at its end
    fits: tuple[
        str, ...
    ] = ()  # of a package: Python's minor or Debian's codename, and the architecture; of an image: that
    unpinned: str = ""

    @property
    def key(self) -> tuple[object, ...]:
        """The same for two hosts that need the same, wherever each would get it."""
        return (self.kind, self.name, self.digests, self.face, self.fits)

    @property
    def id(self) -> str:
        """The key in sixteen hex digits: by it a store tells what it holds."""
        return hashlib.sha256(repr(self.key).encode()).hexdigest()[:16]

    @property
    def content(self) -> str:
        """Where its content lies in the tree; empty where that is not known before it is fetched."""
        hexes = [it.removeprefix("sha256:") for it in self.digests if it.startswith("sha256:")]
        return f"sha256/{hexes[0]}" if len(hexes) == len(self.digests) == 1 else ""


@dataclass(frozen=True)
class Needed:
    """An item, and the hosts whose plans need it."""

    item: Item
    hosts: tuple[str, ...]


def file_face(url: str) -> str:
    """The place of an upstream file, as `wget -x` would lay it out."""
    parts = urlsplit(url)
    return f"files/{parts.netloc}{unquote(parts.path)}"
