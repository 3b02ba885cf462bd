"""Writes a bundle: the archive in parts, what reads it, the bill of materials, the manifest, the signature.

Aside, and renamed when it is whole. The same content gives the same bytes; a key of type ed25519 gives the
same signature, too.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fleet.bundle import application, signature
from fleet.bundle.fault import BundleError
from fleet.bundle.manifest import NAME, Beneath, Manifest, Part, read
from fleet.bundle.pack import Have, Progress, pack, silent

BILL = "bill.cdx.json"
FAT_BYTES = (1 << 32) - 1  # the largest file of a FAT disk


def write(
    to: Path,
    manifest: Manifest,
    having: Sequence[Have],
    key: Path,
    *,
    bill: str,
    limit: int = 0,
    progress: Progress = silent,
) -> Manifest:
    """Write the bundle to the folder `to`, which must not be there yet; gives its manifest.

    `manifest`: without parts. `having`: the files of its packed items. `bill`: the bill of materials.
    `limit`: the most bytes of a part; 0: one part. Raises BundleError where it cannot be written or signed.
    """
    is_free(to)
    aside = to.with_name(f"{to.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        others = (
            _other(aside, BILL, bill.encode()),
            _other(aside, application.NAME, application.application()),
        )
        parts = pack(having, aside, limit, progress)
        whole = replace(manifest, parts=parts, others=others)
        # What could not be read on the far side is found here.
        read(whole.text.encode())
        file = aside / NAME
        file.write_text(whole.text, encoding="utf-8")
        signature.sign(file, key)
        aside.rename(to)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return whole


def is_free(to: Path) -> None:
    """Raise BundleError where a bundle cannot be written there."""
    required = "a folder that is made for the bundle"
    if to.exists():
        raise BundleError(required, f"{to} is there", "name another: to=…")
    there = next(it for it in to.absolute().parents if it.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise BundleError(required, f"nothing can be made in {there}", "name another place: to=…")


def above(manifest: Manifest, older: Path) -> Manifest:
    """The manifest as a delta on the bundle in the folder `older`: what that has is not packed again.

    Raises BundleError as `beneath` does.
    """
    under = beneath(older, manifest.inventory.name)
    there = {it.sha256 for it in under.items}
    return replace(
        manifest,
        items=tuple(replace(it, packed=it.sha256 not in there) for it in manifest.items),
        since=Beneath(under.sha256, under.created),
    )


def beneath(older: Path, inventory: str) -> Manifest:
    """The manifest of the bundle in the folder `older`, or in that file.

    Raises BundleError where that is no bundle, or one for another inventory than that of this name.
    """
    file = older / NAME if older.is_dir() else older
    if not file.is_file():
        raise BundleError("an older bundle", f"{older}: no {NAME}", "name its folder: since=…")
    found = read(file.read_bytes())
    if found.inventory.name != inventory:
        raise BundleError(
            f"an older bundle for the inventory {inventory}",
            f"{older} is one for {found.inventory.name}",
            "name one for the same inventory",
        )
    return found


def _other(folder: Path, name: str, content: bytes) -> Part:
    (folder / name).write_bytes(content)
    return Part(name, hashlib.sha256(content).hexdigest(), len(content))
