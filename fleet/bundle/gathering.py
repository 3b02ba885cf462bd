"""Gathers what hosts need into files of the controller's cache: each with its digest, faces and origins.

What one thing leads to comes with it: the blobs of a manifest, the file of a package that fits, and the
page of a static index that names it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import requests

from engine import controller
from fleet.bundle import index
from fleet.bundle.download import Session, fetch, hexes
from fleet.bundle.fault import BundleError
from fleet.bundle.licences import licence_of
from fleet.bundle.manifest import Item
from fleet.bundle.pack import Have, Progress, digest, silent
from roles.store.scripts import faces
from schemas.plan import item as kinds
from schemas.plan.item import Item as Thing
from schemas.plan.item import Needed
from schemas.plan.listed import blobs

_SIDE_BY_SIDE = 8  # downloads
INDEX = "pypi/"  # below it lies a static index


@dataclass
class Gathered:
    """What lies in the cache so far, by its sha256."""

    having: dict[str, Have] = field(default_factory=dict)
    lacks: list[str] = field(default_factory=list)
    pages: dict[str, dict[str, str]] = field(default_factory=dict)  # package's folder → file name → digest
    tarballs: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)  # name → version → face…

    def add(self, thing: Thing, file: Path, hosts: Sequence[str], sha256: str = "") -> None:
        """Take the file in; what is in already gets one more face, and is for these hosts, too.

        `sha256`: its digest, where that is known; what is packed is verified once more.
        """
        sha256 = sha256 or digest(file)
        if known := self.having.get(sha256):
            item = replace(
                known.item,
                faces=_both(known.item.faces, (thing.face,)),
                origins=_both(known.item.origins, thing.origins),
                hosts=_both(known.item.hosts, hosts),
            )
        else:
            item = Item(
                name=thing.name,
                kind=thing.kind,
                sha256=sha256,
                size=file.stat().st_size,
                faces=(thing.face,),
                origins=tuple(thing.origins),
                licence=licence_of(thing.kind, thing.name, file),
                hosts=tuple(hosts),
            )
        self.having[sha256] = Have(item, file)


@dataclass(frozen=True)
class Gathering:
    """Where things come from, and where they are kept."""

    cache: Path
    made: Mapping[str, Path]  # face → the file on this machine: sources and built UIs
    architectures: Sequence[str]
    session: Session = field(default_factory=Session)
    progress: Progress = silent

    def gather(self, needed: Sequence[Needed]) -> Gathered:
        """All of it. Raises BundleError where something that has an origin cannot be had."""
        found = Gathered()
        self.cache.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            list(pool.map(self._ahead, (it.item for it in needed)))
        for it in needed:
            match it.item.kind:
                case kinds.FILE | kinds.BLOB:
                    self._plain(it, found)
                case kinds.MANIFEST | kinds.IMAGE:
                    self._manifest(it, found)
                case kinds.PACKAGE:
                    self._package(it, found)
                case kinds.TARBALL:
                    self._tarball(it, found)
                case kinds.DEBIAN if it.item.digests:
                    self._plain(it, found)
                case kinds.SOURCE | kinds.UI | kinds.DEBIAN:
                    self._made(it, found)
        self._pages(found)
        return found

    def _ahead(self, thing: Thing) -> None:
        """Fetch it, if it is one file: most are small, and wait for their places rather than for the line."""
        if thing.kind == kinds.PACKAGE:
            thing = self._file(thing)
        elif thing.kind in (kinds.MANIFEST, kinds.IMAGE, kinds.SOURCE, kinds.UI) or not thing.digests:
            return  # what names further things comes with them; source and UI are on this machine
        self._fetched(thing)

    def _fetched(self, thing: Thing, accept: str = "*/*") -> Path:
        pinned = self._pinned(thing)
        kept = self.cache / "-".join(hexes(pinned))
        return controller.once(
            ("bundle", kept),
            lambda: fetch(self.session, thing.name, thing.origins, pinned, kept, accept, self.progress),
        )

    def _plain(self, it: Needed, found: Gathered, accept: str = "*/*") -> Path:
        file = self._fetched(it.item, accept)
        algorithm, digits = hexes(self._pinned(it.item))
        found.add(it.item, file, it.hosts, digits if algorithm == "sha256" else "")
        return file

    def _manifest(self, it: Needed, found: Gathered) -> None:
        """It, and all that it names, for the architectures of this bundle."""
        file = self._plain(it, found, ", ".join(faces.MANIFEST_TYPES))
        listing: dict[str, Any] = json.loads(file.read_bytes())
        if face := faces.of_type(it.item.face, listing):
            found.add(replace(it.item, face=face), file, it.hosts)
        wanted = {**listing, "manifests": [one for one in listing.get("manifests", ()) if self._runs(one)]}
        of, kind = it.item.name.partition(" of ")[2], it.item.kind
        within = it.item.face.partition("/manifests/")[0]
        listed = {one["digest"].removeprefix("sha256:") for one in wanted["manifests"]}
        for part in blobs(wanted):
            path = f"{'manifests' if part.sha256 in listed else 'blobs'}/sha256:{part.sha256}"
            origins = tuple(f"{one.partition('/manifests/')[0]}/{path}" for one in it.item.origins)
            thing = replace(
                it.item,
                kind=kind if part.sha256 in listed else kinds.BLOB,
                name=f"part of {of}",
                digests=(f"sha256:{part.sha256}",),
                origins=origins,
                face=f"{within}/{path}",
            )
            if part.sha256 in listed:
                self._manifest(Needed(replace(thing, name=it.item.name), it.hosts), found)
            else:
                self._plain(Needed(thing, it.hosts), found)

    def _runs(self, listed: Mapping[str, Any]) -> bool:
        platform = listed.get("platform", {})
        return platform.get("os") == "linux" and platform.get("architecture") in self.architectures

    def _package(self, it: Needed, found: Gathered) -> None:
        """The one file of it that fits, and its name on the page of the index."""
        file = self._file(it.item)
        self._plain(Needed(file, it.hosts), found)
        folder, _, name = file.face.rpartition("/")
        if folder.startswith(INDEX):
            found.pages.setdefault(f"{folder}/", {})[name] = file.digests[0].removeprefix("sha256:")

    def _file(self, thing: Thing) -> Thing:
        """The one file of a package that fits, as something to fetch."""
        return controller.once(("bundle", self.cache, thing), lambda: self._chosen(thing))

    def _chosen(self, thing: Thing) -> Thing:
        python, arch = thing.fits
        listed = self._listed(thing)
        file = index.chosen(listed, thing.digests, python, arch)
        if file is None:
            raise BundleError(
                f"{thing.name} for Python {python} on {arch}, by a digest of the lock",
                f"none of the {len(listed)} files that {thing.origins[0]} lists",
                "check the mirror; or refresh the lock: python -m fleet.locks",
            )
        digests = (f"sha256:{file.sha256}",)
        return replace(thing, digests=digests, origins=(file.url,), face=f"{thing.face}{file.name}")

    def _tarball(self, it: Needed, found: Gathered) -> None:
        """It, and what npm asks before it asks for it."""
        thing = it.item
        file = self._plain(it, found)
        pinned = self._pinned(thing)
        found.add(replace(thing, face=faces.of_integrity(pinned)), file, it.hosts)
        name, _, version = thing.name.rpartition(" ")
        found.tarballs.setdefault(name, {})[version] = (thing.face, pinned)

    def _listed(self, thing: Thing) -> list[index.File]:
        faults = []
        for url in thing.origins:
            try:
                answer = self.session.get(url, {"Accept": index.ACCEPT})
                answer.raise_for_status()
                return index.files(answer.text, answer.url, answer.headers.get("Content-Type", ""))
            except (requests.RequestException, ValueError) as error:
                faults.append(f"{url}: {' '.join(str(error).split())[:200]}")
        raise BundleError(
            f"an index that has {thing.name}",
            "\n          ".join(faults),
            "check this machine's network, or name `mirrors.pypi` in the inventory",
        )

    def _made(self, it: Needed, found: Gathered) -> None:
        """What this machine has packed or kept; a UI that it does not have is lacking."""
        thing = it.item
        file = self.made.get(thing.face)
        if file is None:
            found.lacks.append(f"{thing.name}: the first host that needs it builds it")
            return
        found.add(replace(thing, origins=()), file, it.hosts)

    def _pages(self, found: Gathered) -> None:
        """The pages of the static indexes, last: they name what came before."""
        for folder, listed in found.pages.items():
            text = faces.index_page(listed.items()).encode()
            name = folder.removeprefix(INDEX).strip("/")
            file = self.cache / f"page-{name}.html"
            file.write_bytes(text)
            found.add(Thing(kinds.PACKAGE, f"index of {name}", (), 0, (), f"{folder}index.html"), file, ())

        for name, versions in found.tarballs.items():
            file = self.cache / f"page-{name.replace('/', '-')}.json"
            described = {it: faces.npm_version(name, it, *versions[it]) for it in sorted(versions)}
            file.write_text(faces.npm_page(name, described), encoding="utf-8")
            thing = Thing(kinds.TARBALL, f"index of {name}", (), 0, (), f"npm/{name}/index.json")
            found.add(thing, file, ())

    @staticmethod
    def _pinned(thing: Thing) -> str:
        if thing.digests:
            return thing.digests[0]
        raise BundleError(
            f"a digest of {thing.name}", thing.unpinned, "pin it: what has no digest is not installed"
        )


def _both(known: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *more)))
