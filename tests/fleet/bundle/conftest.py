"""A small inventory's bundle, and somebody who signs it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fleet.bundle.check import Checked
from fleet.bundle.fill import Filled, fill
from fleet.bundle.making import above, write
from fleet.bundle.manifest import Inventory, Item, Manifest
from fleet.bundle.pack import Have
from fleet.bundle.parts import Reader
from tests.ssh_keys import pair

CREATED = "2026-11-28T05:00:00Z"


def fill_from(bundle: Checked, tree: Path) -> Filled:
    """Fill the tree from the bundle."""
    with Reader(bundle.folder, bundle.manifest.parts) as archive:
        return fill(bundle, archive, tree)


@dataclass(frozen=True)
class Signer:
    """Somebody with a key, and the file by which others know it."""

    key: Path
    signers: Path


@dataclass(frozen=True)
class Making:
    """Makes bundles of texts in a folder of the test."""

    folder: Path
    signer: Signer

    def manifest(self, texts: Sequence[str], **differs: object) -> tuple[Manifest, list[Have]]:
        """The manifest of these texts, one item each, and their files."""
        having = [self._have(text) for text in texts]
        office = Inventory("office", hashlib.sha256(b"office").hexdigest())
        plain = Manifest(
            inventory=office,
            created=CREATED,
            provisioner="0" * 40,
            releases=("v1.9.0",),
            architectures=("amd64",),
            systems=("debian 12",),
            items=tuple(it.item for it in having),
            parts=(),
        )
        return replace(plain, **differs), having  # type: ignore[arg-type]

    def bundle(
        self, name: str, texts: Sequence[str], *, limit: int = 0, since: Path | None = None, **differs: object
    ) -> Path:
        """A bundle of these texts, one item each."""
        manifest, having = self.manifest(texts, **differs)
        if since:
            manifest = above(manifest, since)
        packed = {it.sha256 for it in manifest.packed}
        having = [it for it in having if it.item.sha256 in packed]
        write(self.folder / name, manifest, having, self.signer.key, bill="{}\n", limit=limit)
        return self.folder / name

    def _have(self, text: str) -> Have:
        digest = hashlib.sha256(text.encode()).hexdigest()
        file = self.folder / "files" / digest
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        face = f"files/example.org/{digest[:8]}+1.tar.gz"
        item = Item(
            text[:20], "file", digest, len(text.encode()), (face,), (f"https://{face}",), "MIT", ("box1",)
        )
        return Have(item, file)


def signer(folder: Path, name: str) -> Signer:
    """Somebody with a new key."""
    private, public = pair()
    key, signers = folder / name, folder / f"{name}.signers"
    key.write_bytes(private)
    key.chmod(0o600)
    key.with_suffix(".pub").write_bytes(public)
    signers.write_bytes(name.encode() + b"@desk " + public)
    return Signer(key, signers)


@pytest.fixture
def ada(tmp_path: Path) -> Signer:
    """Who makes the bundles."""
    return signer(tmp_path, "ada")


@pytest.fixture
def making(tmp_path: Path, ada: Signer) -> Making:
    """Makes bundles that Ada signs."""
    return Making(tmp_path, ada)


@pytest.fixture
def another(tmp_path: Path) -> Callable[[str], Signer]:
    """Makes somebody else with a key."""
    return lambda name: signer(tmp_path, name)
