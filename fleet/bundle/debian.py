"""Debian's packages for a bundle: what hosts install, and what it depends on, as a part of Debian's archive.

This machine's own apt decides, as that of a store's host does (roles/store/scripts/archive.py).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.refusal import refuse
from fleet.bundle.pack import digest
from roles.store.scripts import archive as text
from schemas.data.systems import System
from schemas.plan import item as kinds
from schemas.plan.item import Item, Needed

KEYRING = Path(text.KEYRING)


@dataclass(frozen=True)
class Archive:
    """A part of Debian's archive for one system and architecture."""

    codename: str
    arch: str
    names: tuple[str, ...]  # of the packages that hosts install
    needed: tuple[Needed, ...]
    releases: dict[str, Path]  # face → the InRelease, as it was fetched

    @property
    def faces(self) -> dict[str, str]:
        """All that belongs to it: path in the tree → hex sha256."""
        pinned = {it.item.face: it.item.digests[0] for it in self.needed if it.item.digests}
        return {face: it.removeprefix("sha256:") for face, it in pinned.items()}


def unusable() -> str:
    """Why this machine cannot bring Debian's packages; empty where it can."""
    if shutil.which("apt-get") is None:
        return "this machine has no apt"
    if not KEYRING.exists():
        return f"this machine has no {KEYRING} (apt-get install debian-archive-keyring)"
    return ""


def archive(
    system: System,
    arch: str,
    names: Sequence[str],
    hosts: Sequence[str],
    places: Sequence[str],
    folder: Path,
    keyring: Path = KEYRING,
) -> Archive:
    """What a host of this system and architecture takes from Debian to have these packages.

    `places`: URLs that have `debian` and `debian-security`, in the order in which they are tried. `folder`:
    where apt works. Raises RefusedError with the last of what apt printed where it does not get there.
    """
    output = ""
    for place in map(text.folder, places):
        _prepare(system, arch, place, folder, keyring)
        done = _apt(folder, "update", "--error-on=any")
        if done.returncode == 0:
            done = _apt(folder, *text.INSTALL, "--print-uris", *names)
            if done.returncode == 0:
                releases = _releases(system, place, folder)
                needed = tuple(_needed(system, arch, place, releases, done.stdout, hosts))
                return Archive(system.codename, arch, tuple(names), needed, releases)
        output = "\n          ".join(f"{done.stdout}{done.stderr}".strip().splitlines()[-8:])
    raise refuse(
        f"Debian's packages for {system.name} on {arch}, from {' or '.join(places)}",
        output,
        "check this machine's network; or name in `mirrors.files` a place that has deb.debian.org/debian",
    )


def records(of: Iterable[Archive], folder: Path) -> dict[str, Path]:
    """The files that say what of each release is held, as a store has them, by their faces."""
    parts: dict[str, list[Archive]] = {}
    for it in of:
        parts.setdefault(it.codename, []).append(it)
    found = {}
    for codename, these in parts.items():
        names = {it.arch: it.names for it in these}
        signed = {face: digest(file) for it in these for face, file in it.releases.items()}
        faces = {face: sha256 for it in these for face, sha256 in it.faces.items()}
        file = folder / f"{codename}.json"
        file.write_text(text.described(names, {**faces, **signed}), encoding="utf-8")
        found[text.record(codename)] = file
    return found


def _prepare(system: System, arch: str, place: text.Place, folder: Path, keyring: Path) -> None:
    """A folder in which apt knows these sources, and a host that has nothing."""
    for name in ("state/lists/partial", "cache/archives/partial", "etc"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "status").write_text("", encoding="utf-8")
    sources = text.sources(place, system.codename, str(keyring))
    (folder / "sources.list").write_text(sources, encoding="utf-8")
    (folder / "apt.conf").write_text(text.configuration(str(folder), [arch]), encoding="utf-8")


def _apt(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["apt-get", "-q", "-c", str(folder / "apt.conf"), *arguments],
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _releases(system: System, place: text.Place, folder: Path) -> dict[str, Path]:
    faces = (text.release(root, suite) for root, suite in text.suites(system.codename))
    return {face: folder / "state" / "lists" / text.list_file(place, face) for face in faces}


def _needed(
    system: System,
    arch: str,
    place: text.Place,
    releases: dict[str, Path],
    printed: str,
    hosts: Sequence[str],
) -> Iterator[Needed]:
    for root, suite in text.suites(system.codename):
        face = text.release(root, suite)
        yield Needed(Item(kinds.DEBIAN, f"InRelease of {suite}", (), 0, (), face), tuple(hosts))
        signed = releases[face].read_text(encoding="utf-8", errors="replace")
        listed = text.index(root, suite, arch, signed)
        base = place[text.ROOTS.index(root)]
        for path in listed.faces if listed else ():
            assert listed is not None
            name, digests = f"packages of {suite} for {arch}", (f"sha256:{listed.sha256}",)
            origins = tuple(f"{base}/{it.partition('/')[2]}" for it in reversed(listed.faces))
            yield Needed(Item(kinds.DEBIAN, name, digests, listed.size, origins, path), tuple(hosts))
    for it in text.debs(place, printed):
        name, digests = f"{it.name} {it.version}", (f"sha256:{it.sha256}",)
        yield Needed(Item(kinds.DEBIAN, name, digests, it.size, (it.url,), it.face), tuple(hosts))
