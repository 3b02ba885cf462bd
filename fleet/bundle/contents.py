"""What goes into a bundle: the needs of every plan on every system, and what is on this machine already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine import controller
from engine.refusal import refuse
from engine.release import Release
from fleet.assessment import resolved
from fleet.builds import Build
from fleet.bundle import debian, provisioner
from fleet.bundle.gathering import Gathered
from fleet.needed import codename_of, read_for
from roles.store.wants import fetched
from schemas.data.contract import contract
from schemas.data.pins import Pins
from schemas.data.systems import systems
from schemas.inventory import DeclaredHost
from schemas.model import HostPlan
from schemas.plan import item as kinds
from schemas.plan.host import assumed_hardware
from schemas.plan.item import Item, Needed
from schemas.plan.items import needed


@dataclass(frozen=True)
class Planned:
    """A host's plan on one system, with what it is built from."""

    system: str  # e.g. "debian 12"
    plan: HostPlan
    pins: Pins
    build: Build


@dataclass(frozen=True)
class Contents:
    """What is to be gathered. `made`: face → the file on this machine; `lacks`: what is in no bundle."""

    needed: tuple[Needed, ...]
    made: Mapping[str, Path]
    lacks: tuple[str, ...]
    held: str  # what a store says that it holds, once it was filled


def plans(hosts: Sequence[DeclaredHost], on: Sequence[str]) -> Iterator[Planned]:
    """Each host's plan on each of these systems: its own Python may decide about the interpreter.

    Raises RefusedError where a plan depends on what nobody has seen, or has no source or lock.
    """
    undecided = [it.name for it in hosts if it.model == "auto" and _has_model(it)]
    if undecided:
        raise refuse(
            "`model` by name for every host: a bundle is made before their cards are seen",
            f"auto: {', '.join(undecided)}",
            "write e.g. model: gemma3:4b",
        )
    for host in hosts:
        for system in on:
            hardware = replace(assumed_hardware(host), python=systems()[system].python, system=system)
            # With all places that things come from: a store is on the far side.
            plan = resolved(replace(host, store=None), hardware)
            yield Planned(system, plan, host.pins, Build.of(plan))


def contents(planned: Sequence[Planned], folder: Path) -> Contents:
    """All that these plans need, and this provisioner. `folder`: where apt works. Raises RefusedError."""
    index = next((it.plan.mirrors.pypi for it in planned if it.plan.mirrors.pypi), "")
    own = provisioner.environment(
        index or planned[0].pins.registries["pypi"],
        list(dict.fromkeys(systems()[it.system].python for it in planned)),
        list(dict.fromkeys(it.plan.arch for it in planned)),
    )
    wanted = needed((it.plan, it.pins, read_for(it.plan, it.build, codename_of(it.system))) for it in planned)
    archives, lacks = list[debian.Archive](), [*_brought(planned)]
    for (system, arch), these in _alike(planned).items():
        names = list(dict.fromkeys(name for it in these for name in read_for(it.plan, it.build).debian))
        why = "" if codename_of(system) else "a bundle brings those of Debian only"
        if why := why or debian.unusable():
            lacks.append(f"packages of {systems()[system].name} for {arch}: {', '.join(names)} ({why})")
            continue
        hosts = list(dict.fromkeys(it.plan.host for it in these))
        aside = folder / f"apt-{systems()[system].codename}-{arch}"
        archives.append(debian.archive(systems()[system], arch, names, hosts, _places(wanted), aside))
    records = debian.records(archives, folder)
    listed = [Needed(Item(kinds.DEBIAN, f"list of {it}", (), 0, (), it), ()) for it in records]
    brought = {(it.codename, it.arch) for it in archives}
    return Contents(
        needed=(
            *(it for it in wanted if it.item.kind != kinds.DEBIAN),
            *own,
            *(one for it in archives for one in it.needed),
            *listed,
        ),
        made={
            **made(planned),
            **{face: file for it in archives for face, file in it.releases.items()},
            **records,
        },
        lacks=tuple(dict.fromkeys(lacks)),
        held=held(it.item for it in wanted if it.item.kind != kinds.DEBIAN or it.item.fits in brought),
    )


def held(items: Iterable[Item]) -> str:
    """The list of a store that holds these: an id, a kind and a name a line."""
    return "".join(sorted(f"{it.id} {it.kind} {it.name}\n" for it in fetched(list(items))))


def made(planned: Sequence[Planned]) -> dict[str, Path]:
    """What this machine has packed or kept, by its face in the store."""
    found: dict[str, Path] = {}
    for it in planned:
        archive, release = it.build.archive, it.build.release
        if archive is None or not isinstance(release, Release):
            continue
        found[f"sources/{it.plan.source.commit or archive.sha256}.tar.gz"] = archive.path
        kept = controller.cache_directory("uis") / f"{release.ui}.tar.zst"
        if kept.exists():
            found[f"uis/{kept.name}"] = kept
    return found


def add_cached(planned: Planned, found: Gathered) -> None:
    """Add the faces below which lies what the cache of the far controller must hold."""
    plan, build = planned.plan, planned.build
    cached = [("sources", build.archive and build.archive.path)]
    for lock in (build.lock, build.vllm):
        if lock and not lock.path.is_relative_to(provisioner.ROOT):
            cached.append(("locks", lock.path))
    if isinstance(build.release, Release):
        cached.append(("uis", made([planned]).get(f"uis/{build.release.ui}.tar.zst")))
    for folder, file in cached:
        if file:
            face = f"{provisioner.CACHE}/{folder}/{file.name}"
            found.add(Item(kinds.SOURCE, file.name, (), 0, (), face), file, (plan.host,))
    if uv := found.having.get(plan.uv.integrity):
        face = f"{provisioner.CACHE}/uv/uv-{plan.uv.version}-{plan.arch}.whl"
        thing = Item(kinds.PACKAGE, uv.item.name, (), 0, (), face)
        found.add(thing, uv.file, (plan.host,), uv.item.sha256)


def _has_model(host: DeclaredHost) -> bool:
    return "ollama" in contract().profiles[host.profile].services


def _alike(planned: Sequence[Planned]) -> dict[tuple[str, str], list[Planned]]:
    """The plans by system and architecture."""
    found: dict[tuple[str, str], list[Planned]] = {}
    for it in planned:
        found.setdefault((it.system, it.plan.arch), []).append(it)
    return found


def _places(wanted: Iterable[Needed]) -> list[str]:
    """Where Debian's archive is looked for: as below every mirror of files, and then at Debian."""
    of = (it.item for it in wanted if it.item.kind == kinds.DEBIAN)
    return list(dict.fromkeys(url for it in of for url in it.origins))


def _brought(planned: Sequence[Planned]) -> list[str]:
    """What an inventory names on the controller itself."""
    return [
        f"the {it.plan.source.kind} {it.plan.source.location} of Venom, which the inventory names"
        for it in planned
        if it.plan.source.kind in ("tree", "repository")
    ]
