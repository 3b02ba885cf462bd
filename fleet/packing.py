"""What a run of deploy/images.py packs and publishes: everything it must know before it changes anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine import jobs, packages, proxy
from engine.archive import Archive
from engine.environment import Lock, uv_path
from engine.jobs import Job
from engine.observation import Observed
from engine.options import Options
from engine.question import observe_host
from engine.refusal import Finding, RefusedError, refuse
from engine.release import Release
from engine.resources import Prerequisite, differing
from engine.uv import wheel
from fleet.assessment import resolved
from fleet.builds import Build
from roles.backend import deploy as backend
from roles.base import deploy as base
from roles.packing.contents import Contents, backend_contents, frontend_contents
from roles.packing.deploy import base_job, pack_job, prerequisites
from roles.packing.publication import Publication, Registry
from roles.packing.summary import records
from roles.packing.tags.repository import look
from roles.packing.tags.rules import by_hand, by_tag
from roles.preflight.deploy import probe
from roles.preflight.facts import Facts
from roles.source.deploy import source_delivered
from roles.ui import deploy as ui
from schemas.data.artifacts import Variant, variants
from schemas.data.contract import contract
from schemas.data.systems import systems
from schemas.declared.venom import IMAGE
from schemas.inventory import DeclaredHost
from schemas.model import HostPlan
from schemas.plan.host import assumed_hardware

DEFAULT = ("venom-backend-light", "venom-frontend")
BUILD_HOST = "debian 13"  # the system whose packages the images get


@dataclass(frozen=True)
class Image:
    """One image of the run: what goes into it, and how the host makes that."""

    archive: Archive  # the source that its parts are made of
    lock: Lock | None  # of the backend's packages; None: it is the UI's
    contents: Contents
    job: Job  # makes the part that it is about


@dataclass(frozen=True)
class Packing:
    """The images of one run, and how the build host stands."""

    system: str
    images: tuple[Image, ...]
    base: Job
    prerequisites: tuple[Prerequisite, ...]
    publication: Publication | None
    observed: Observed
    records: Mapping[str, Mapping[str, Any]]
    unpublished: tuple[str, ...]

    @property
    def contents(self) -> list[Contents]:
        """What goes into each."""
        return [it.contents for it in self.images]

    @property
    def missing(self) -> list[Image]:
        """Those that have to be packed."""
        return [it for it in self.images if not self.observed.there(it.contents.path)]

    @property
    def current(self) -> str:
        """The key of the generation that the build host serves, where it serves anything."""
        return self.observed.current

    @property
    def in_sync(self) -> bool:
        """Whether there is nothing to do."""
        return not self.missing and not self.unpublished and not differing(self.prerequisites, self.observed)

    def pack_job(self, image: Image) -> Job:
        """Packs one."""
        return pack_job(image.contents, self.base)


def plan_packing(declared: DeclaredHost, options: Options) -> Packing:
    """What is to be packed on the current host. Raises RefusedError before the first change."""
    registry = registry_of(options)
    requested = [variants()[it] for it in dict.fromkeys(options.words("variants") or DEFAULT)]
    if declared.source.kind == IMAGE:
        raise refuse(
            "a source to pack, on the build host",
            "`venom: {install: image}`",
            "write `venom: {release: …, repository: …}` for that host",
        )
    facts = probe(containers=False)
    if facts.system != BUILD_HOST:
        raise refuse(
            f"{systems()[BUILD_HOST].name} on the build host: the images get its packages",
            facts.system,
            "name a host with it, e.g. --limit build1",
        )
    images = tuple(_image(it, _plan(declared, facts, it)) for it in requested)
    contents = [it.contents for it in images]
    publication = None
    if registry:
        tags = _tags(contents[0].plan, options)
        publication = Publication(registry, tuple(tags), tuple(contents))
    plan = contents[0].plan
    way = proxy.way(plan)
    stands_on = (
        *base.resources(plan.engine, declared.ca_bundle, way, packages.origin_of(way, plan)),
        *prerequisites(),
    )
    based = base_job()
    observed = observe_host(stands_on, [based.makes, *(path for it in images for path in _paths(it))], ())
    known = records(contents)
    return Packing(
        system=facts.system,
        images=images,
        base=based,
        prerequisites=stands_on,
        publication=publication,
        observed=observed,
        records=known,
        unpublished=tuple(publication.differs(known)) if publication else (),
    )


def registry_of(options: Options) -> Registry | None:
    """Where the images are published. Raises RefusedError where only how is given."""
    if options.text("registry"):
        return Registry.of(options.text("registry"))
    if given := [it for it in ("tag", "confirmed", "extra") if options.text(it)]:
        raise refuse(
            "registry=PLACE beside tag, confirmed or extra", " and ".join(given), "name the registry"
        )
    return None


def make_parts(packing: Packing) -> None:
    """Make what goes into the images, as a host makes it that serves from it."""
    observed, tools = packing.observed, set[str]()
    first = packing.missing[0]
    source_delivered(archive=first.archive, release=first.contents.release, observed=observed)
    for it in packing.missing:
        if it.lock:
            plan, release = it.contents.plan, it.contents.release
            uv = uv_path(plan)
            uv_there = observed.there(release.venv_path) or observed.there(uv) or uv in tools
            tools.add(uv)
            uv_wheel = None if uv_there else wheel(plan)
            work = backend.environment_work(plan, release, it.lock, it.job, uv_wheel, observed)
            work.begin()
            work.end()
        else:
            jobs.job_started(name="UI build | start", job=it.job, observed=observed)
            jobs.job_finished(name="UI build | finish", job=it.job, observed=observed)


def _plan(declared: DeclaredHost, facts: Facts, variant: Variant) -> HostPlan:
    """The plan of a host that would run this variant, without what an image has nothing of.

    The interpreter is always the pinned one, because an image has none of Debian's. Which of the
    variant's profiles is meant changes nothing in the package: it is the one with the fewest services.
    """
    light = variants()[DEFAULT[0]]
    tiers, profiles = (variant if variant.tiers else light).tiers, variant.profiles
    profile = min(profiles, key=lambda it: len(contract().profiles[it].services))
    wanted = replace(
        declared, profile=profile, requirements_tier=tiers[0], extras=tiers[1:], development=None, secrets={}
    )
    hardware = replace(assumed_hardware(wanted), arch=facts.hardware.arch)
    return resolved(wanted, hardware)


def _image(variant: Variant, plan: HostPlan) -> Image:
    build = Build.of(plan)
    release, archive, lock, launchers = build.release, build.archive, build.lock, build.launchers
    assert isinstance(release, Release)
    assert archive
    assert lock
    if not variant.tiers:
        contents = frontend_contents(variant, plan, release, launchers["ui-server"])
        return Image(archive, None, contents, ui.build_job(plan, release))
    contents = backend_contents(variant, plan, release, lock.text, lock.sha256, launchers["backend"])
    return Image(archive, lock, contents, backend.environment_job(plan, release, lock))


def _paths(image: Image) -> list[str]:
    """All that is observed for one image."""
    release, plan = image.contents.release, image.contents.plan
    return [
        *(image.contents.path, release.source_path, release.venv_path, uv_path(plan)),
        *(image.job.makes, *image.job.needs),
    ]


def _tags(plan: HostPlan, options: Options) -> list[str]:
    """Under which tags the images go. Raises RefusedError where they may not be published."""
    source, tag = plan.source, options.text("tag")
    confirmed, extra = options.flag("confirmed"), options.text("extra")
    if source.kind != "repository":
        raise refuse(
            "a source whose history says whether its commit is on main, for a publication",
            f"{source.kind}: {source.location}",
            "`venom: {release: …, repository: ../venom}` in the inventory; or leave `registry` out",
        )
    if tag and (confirmed or extra):
        raise RefusedError(
            [Finding("either tag=… or confirmed=yes, with extra=…", "both", "leave one of them out")]
        )
    commit = look(Path(source.location), tag, source.commit)
    return by_tag(tag, commit) if tag else by_hand(confirmed, extra, commit)
