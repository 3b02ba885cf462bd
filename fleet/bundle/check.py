"""Checks a bundle before anything of it is used: who signed it, what for, and every byte. Changes nothing.

Needs Python's own library and ssh-keygen only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fleet.bundle import signature
from fleet.bundle.fault import COPY_AGAIN, BundleError
from fleet.bundle.manifest import NAME, Manifest, Part, read
from fleet.bundle.pack import Progress, digest, silent


@dataclass(frozen=True)
class Wanted:
    """What a bundle must be for; what is empty is not asked."""

    inventory: Path | None = None
    releases: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """A bundle whose signature and bytes are right."""

    folder: Path
    manifest: Manifest
    text: bytes  # of the manifest, as it was signed
    signer: str

    @property
    def sha256(self) -> str:
        """The digest that names the bundle."""
        return hashlib.sha256(self.text).hexdigest()


def check(folder: Path, signers: Path, wanted: Wanted, progress: Progress = silent) -> Checked:
    """The bundle in `folder`. Raises BundleError with the first thing that is wrong with it.

    What takes no time is asked first: the signature, what it is for, the sizes of its files.
    """
    file = folder / NAME
    if not file.is_file():
        found = f"{folder}: no such folder" if not folder.is_dir() else f"no {NAME} in {folder}"
        raise BundleError("the folder of a bundle", found, "name the folder that deploy/bundle.py made")
    text = file.read_bytes()
    signer = signature.signer(text, file.with_name(NAME + signature.SUFFIX), signers)
    manifest = read(text)
    _is_wanted(manifest, wanted)
    files = (*manifest.parts, *manifest.others)
    for part in files:
        _whole(folder, part)
    done = 0
    for part in files:
        progress(part.name, done)
        _unchanged(folder, part, files)
        done += part.size
    return Checked(folder, manifest, text, signer)


def _is_wanted(manifest: Manifest, wanted: Wanted) -> None:
    if wanted.inventory is not None:
        _of_inventory(manifest, wanted.inventory)
    for what, there, requested in (
        ("release", manifest.releases, wanted.releases),
        ("architecture", manifest.architectures, wanted.architectures),
        ("system", manifest.systems, wanted.systems),
    ):
        if lacking := [it for it in requested if it not in there]:
            raise BundleError(
                f"a bundle for the {what} {_listed(lacking)}",
                f"one for {_listed(there) or 'none'}",
                "take another bundle, or make one for it",
            )


def _of_inventory(manifest: Manifest, file: Path) -> None:
    mine = manifest.inventory
    if not file.is_file():
        raise BundleError("an inventory that is there", f"{file}: no such file", "name its YAML file")
    if file.stem != mine.name:
        raise BundleError(
            f"a bundle for the inventory {file.stem}", f"one for {mine.name}", "take the bundle for this one"
        )
    if digest(file) != mine.sha256:
        raise BundleError(
            f"a bundle for {file} as it is (sha256 {digest(file)[:12]}…)",
            f"one for another version of it (sha256 {mine.sha256[:12]}…)",
            "make a new bundle, or take the inventory that this one was made for",
        )


def _whole(folder: Path, part: Part) -> None:
    file, required = folder / part.name, f"{part.name} with {part.size} bytes"
    if not file.is_file():
        raise BundleError(required, "it is not in the bundle", "put all files of the bundle into one folder")
    if (size := file.stat().st_size) != part.size:
        raise BundleError(required, f"it has {size}", COPY_AGAIN)


def _unchanged(folder: Path, part: Part, files: Sequence[Part]) -> None:
    required = f"{part.name} with sha256 {part.sha256}"
    try:
        found = digest(folder / part.name)
    except OSError as error:
        raise BundleError(required, f"it cannot be read: {error.strerror}", COPY_AGAIN) from error
    if found == part.sha256:
        return
    if other := next((it.name for it in files if it.sha256 == found), ""):
        raise BundleError(required, f"it holds what {other} must hold", f"give {other} its name back")
    raise BundleError(required, f"sha256 {found}", COPY_AGAIN)


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(texts)
