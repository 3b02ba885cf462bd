"""Fills a store's tree from a bundle that was checked: aside, verified, and then all of it in place.

Needs Python's own library only. A fill that was killed leaves the tree as it was, or with whole files of
the new one; the next goes on with what lies aside.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fleet.bundle.check import Checked
from fleet.bundle.fault import COPY_AGAIN, BundleError
from fleet.bundle.manifest import NAME, OURS, Item, Manifest, read
from fleet.bundle.pack import Progress, digest, silent
from fleet.bundle.parts import CHUNK, Reader

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # what a disk without room answers


@dataclass(frozen=True)
class Filled:
    """What a fill did."""

    placed: int  # files that were not there, or not so
    kept: int  # files that were there


def fill(bundle: Checked, archive: Reader, tree: Path, progress: Progress = silent) -> Filled:
    """Put the bundle's files in place below `tree`, which is made if need be. `archive`: its parts.

    Raises BundleError where this bundle does not belong there, and where the disk has no room; then nothing
    of the tree has changed.
    """
    own = tree / OURS
    with _alone(own):
        _belongs(bundle, tree)
        lacking = [it for it in bundle.manifest.items if not _is_at(tree / it.path, it)]
        _beneath_is_there(bundle.manifest, lacking, tree)
        aside = own / bundle.sha256
        for old in own.glob("[0-9a-f]*"):
            if old != aside:
                shutil.rmtree(old)
        _room(lacking, aside, tree)
        try:
            _unpack(bundle.manifest, archive, lacking, aside, progress)
            _place(lacking, aside, tree)
            _link(bundle.manifest, tree)
            _record(bundle, own)
        except OSError as error:
            if error.errno not in FULL:
                raise
            shutil.rmtree(aside, ignore_errors=True)
            raise _full(lacking, tree, error.strerror or "full") from error
        shutil.rmtree(aside, ignore_errors=True)
    return Filled(len(lacking), len(bundle.manifest.items) - len(lacking))


def go_on_as_owner(tree: Path) -> None:
    """Let root go on as the user to whom the tree belongs: root follows no link that somebody else made.

    Whatever is made from then on can be read by everybody: it is served.
    """
    os.umask(0o022)
    if os.geteuid() == 0 and tree.is_dir() and (owner := tree.stat()).st_uid != 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def filled(tree: Path) -> Manifest | None:
    """What was filled there last; None: nothing yet."""
    record = tree / OURS / NAME
    return read(record.read_bytes()) if record.is_file() else None


@contextmanager
def _alone(own: Path) -> Iterator[None]:
    """One fill of a tree at a time; the lock goes with the process, however that ends."""
    own.mkdir(parents=True, exist_ok=True)
    with (own / "lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BundleError(
                f"that nobody else fills {own.parent}", "another fill is at work", "wait until it is over"
            ) from error
        yield


def _belongs(bundle: Checked, tree: Path) -> None:
    """Neither one for another inventory nor one that is older than what is there."""
    last, mine = filled(tree), bundle.manifest
    if last is None:
        return
    if last.inventory.name != mine.inventory.name:
        raise BundleError(
            f"a bundle for the inventory {last.inventory.name}: {tree} was filled for that",
            f"one for {mine.inventory.name}",
            "take the bundle for that inventory, or another folder",
        )
    if mine.created < last.created:
        raise BundleError(
            f"a bundle from {last.created}, which {tree} has, or a newer one",
            f"one from {mine.created}",
            "take the newest; to go back on purpose, fill another folder",
        )


def _beneath_is_there(manifest: Manifest, lacking: Sequence[Item], tree: Path) -> None:
    if (since := manifest.since) is None:
        return
    if unpacked := [it for it in lacking if not it.packed]:
        raise BundleError(
            f"the bundle from {since.created} (manifest {since.sha256[:12]}…) filled before: this is a delta",
            f"{tree} lacks {len(unpacked)} of its files, {unpacked[0].name} among them",
            "fill that one first, then this one",
        )


def _is_at(path: Path, item: Item) -> bool:
    """Whether the file is there and whole."""
    return (
        path.is_file()
        and not path.is_symlink()
        and path.stat().st_size == item.size
        and digest(path) == item.sha256
    )


def _room(lacking: Sequence[Item], aside: Path, tree: Path) -> None:
    there = sum(it.size for it in lacking if (aside / it.path).is_file())
    if sum(it.size for it in lacking) - there > shutil.disk_usage(tree).free:
        raise _full(lacking, tree, "")


def _full(lacking: Sequence[Item], tree: Path, why: str) -> BundleError:
    need, free = sum(it.size for it in lacking), shutil.disk_usage(tree).free
    return BundleError(
        f"{need / 1e6 + 1:.0f} MB free in {tree} for this bundle",
        f"{free / 1e6:.0f} MB" + (f", and the disk said: {why}" if why else ""),
        "make it larger, or free some, and run again",
    )


def _unpack(
    manifest: Manifest, archive: Reader, lacking: Sequence[Item], aside: Path, progress: Progress
) -> None:
    """Write what the tree lacks below `aside`, each file verified."""
    wanted, done = {it.path for it in lacking}, 0
    if not wanted:
        return
    packed = iter(manifest.packed)
    try:
        with tarfile.open(fileobj=archive, mode="r|") as tar:
            for entry in tar:
                item = next(packed, None)
                if item is None or not entry.isreg() or (entry.name, entry.size) != (item.path, item.size):
                    raise _other(f"{entry.name} where {item.path if item else 'the end'} must be")
                if item.path in wanted and not _is_at(aside / item.path, item):
                    content = tar.extractfile(entry)
                    assert content is not None
                    _write(content, item, aside / item.path)
                done += item.size
                progress("unpacking", done)
    except tarfile.TarError as error:
        raise _other(str(error)) from error
    if (item := next(packed, None)) is not None:
        raise _other(f"no {item.path}")


def _write(content: IO[bytes], item: Item, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    found = hashlib.sha256()
    with path.open("wb") as file:
        while chunk := content.read(CHUNK):
            found.update(chunk)
            file.write(chunk)
        # Else a power cut could leave the name and take the content.
        file.flush()
        os.fsync(file.fileno())
    if found.hexdigest() != item.sha256:
        path.unlink()
        raise BundleError(f"{item.name} with sha256 {item.sha256}", f"sha256 {found.hexdigest()}", COPY_AGAIN)
    path.chmod(0o644)


def _place(lacking: Sequence[Item], aside: Path, tree: Path) -> None:
    """Rename each content into its place."""
    for it in lacking:
        place = tree / it.path
        place.parent.mkdir(parents=True, exist_ok=True)
        (aside / it.path).replace(place)


def _link(manifest: Manifest, tree: Path) -> None:
    """Make each face a link to its content; one that leads elsewhere changes by a rename."""
    aside = tree / OURS / "link"
    for it in manifest.items:
        for face in it.faces:
            place, target = tree / face, "../" * face.count("/") + it.path
            if place.is_symlink() and place.readlink() == Path(target):
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            aside.unlink(missing_ok=True)
            aside.symlink_to(target)
            aside.replace(place)


def _record(bundle: Checked, own: Path) -> None:
    """Keep what was filled, for the next fill to compare with."""
    part = own / f"{NAME}.part"
    part.write_bytes(bundle.text)
    part.replace(own / NAME)


def _other(found: str) -> BundleError:
    return BundleError("an archive that holds what its manifest says", found, "make the bundle anew")
