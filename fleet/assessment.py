"""The survey: everything that a run must know of a host before it changes anything there.

Planning, looking and checking are three steps, because who only wants to know how a host stands plans
and looks, and refuses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

from pyinfra.context import host

from engine import containers, paths, remote
from engine.generation import Generation
from engine.jobs import Job
from engine.observation import Question, Seen, look
from engine.refusal import Finding, RefusedError
from engine.release import ImageRelease, Release
from engine.resources import (
    Difference,
    Directory,
    Displaced,
    Enabled,
    EnvFile,
    Ground,
    Packages,
    Resource,
    Switchable,
    User,
    differing,
    once,
)
from engine.secrets import reveal
from engine.services import Service
from engine.switch import Switch
from fleet import serving
from fleet.builds import Made, Making, Pulled, Pulling, parts_of
from roles.backend import deploy as backend
from roles.base import deploy as base
from roles.development import deploy as development
from roles.door import certificate, firewall, nginx
from roles.door import deploy as door
from roles.door.secrets import Revealed, revealed
from roles.ollama import deploy as ollama
from roles.preflight import ownership
from roles.preflight.checks import Coming, installing
from roles.preflight.deploy import check, probe
from roles.preflight.facts import Facts
from roles.release import deploy as release_role
from roles.ui import deploy as ui
from roles.weights import deploy as weights
from roles.weights.unused import Unused, unused
from schemas.inventory import DeclaredHost
from schemas.model import MODERN, Hardware, HostPlan
from schemas.plan.host import assumed_hardware, plan_host
from schemas.plan.show import to_dict
from schemas.reading.problem import PlanError


@dataclass(frozen=True)
class LocalModel:
    """What a profile with a local model has beyond the others."""

    install: Job
    service: Service
    pull: Job


@dataclass(frozen=True)
class Planned:
    """One host: what it is to be, and from which parts."""

    hardware: Hardware
    plan: HostPlan
    made: Made | Pulled
    settings: Mapping[str, str]  # keys of the backend's environment file, secrets among them
    backend: Service
    ui: Service
    local: LocalModel | None
    secrets: Revealed  # of the door
    certificate_job: Job | None

    @property
    def release(self) -> Release | ImageRelease:
        """Which parts serve."""
        return self.made.release

    @property
    def ground(self) -> list[Ground]:
        """What everything else stands on: mended in place, and never taken back."""
        return _ground(self.plan)

    @property
    def jobs(self) -> list[Job]:
        """The long work that makes the parts."""
        local = [self.local.install, self.local.pull] if self.local else []
        own = [self.certificate_job] if self.certificate_job else []
        return [*self.made.jobs, *local, *own]

    @property
    def resources(self) -> list[Resource]:
        """Everything that is declared of the host."""
        return [*self.ground, *self.generation.resources, self.generation.file]

    @property
    def parts(self) -> list[str]:
        """Everything in the stores that the host needs, or that is made of what lies there."""
        made = [path for job in self.jobs for path in (job.makes, *job.needs)]
        return [*self.generation.parts, *made, backend.uv_path(self.plan)]

    @cached_property
    def generation(self) -> Generation:
        """All that is switched together at the end of the run."""
        plan, release = self.plan, self.release
        return Generation(
            name=f"{serving.name(plan)}, {plan.profile}",
            resources=_switchable(plan, release, self.settings, self.secrets),
            services=(
                *([self.local.service] if self.local else []),
                *(self.backend, self.ui),
                door.service(plan, self.secrets),
                *([firewall.service(plan)] if plan.door.firewall else []),
            ),
            stopped=(*(() if self.local else (ollama.UNIT,)), *firewall.stopped(plan)),
            parts=(
                *release.parts,
                *((self.local.install.makes, *self.local.install.needs) if self.local else ()),
                *certificate.parts(plan.door),
            ),
            record={"applied": {"plan": to_dict(plan), "release": release.key}},
        )

    def differs(self, seen: Seen) -> list[Difference]:
        """What of the host is not so. Where this is empty, nothing has to be changed there."""
        return once(
            [
                *self.generation.unproven(seen),
                *differing(self.ground, seen),
                *self.generation.differs(seen),
                *(it for job in self.jobs for it in job.differs(seen)),
                *self.generation.lacks(seen),
                *([] if seen.there(paths.CA_CERTIFICATES) else [_lost(paths.CA_CERTIFICATES)]),
            ]
        )

    @property
    def switch(self) -> Switch:
        """How the run ends: what the operator is told, and how many generations are kept."""
        plan = self.plan
        model = f", {plan.model.name}" if plan.model else ""
        opened = door.opened(plan, remote.command_line(host))
        serves = f"serves {serving.name(plan)}, profile {plan.profile}{model}\n{opened}"
        return Switch(serves=serves, keep=plan.keep_generations)


@dataclass(frozen=True)
class Survey(Planned):
    """One host: what it is to be, what was seen of it, and what this run does for it."""

    seen: Seen
    making: Making | Pulling
    purge: bool  # whether weights that the plan does not use are to go

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the operator should know of the host's hardware."""
        return self.hardware.remarks

    @property
    def proven(self) -> bool:
        """Whether the host says that exactly this was switched to, and proven to serve."""
        return not self.generation.unproven(self.seen)

    @property
    def current(self) -> str:
        """The key of the generation that the host said was its current one."""
        link = self.seen.paths.get(f"{paths.GENERATIONS}/current", {})
        return link.get("target", "").removesuffix(".json")

    @property
    def in_sync(self) -> bool:
        """Whether nothing has to be changed on the host."""
        return not self.differs(self.seen) and not (self.purge and self.unused.manifests)

    @property
    def unused(self) -> Unused:
        """Weights that the plan does not use."""
        return unused(self.local.pull if self.local else None, self.seen)

    @property
    def troubles(self) -> list[str]:
        """What is not well with services although it is as declared."""
        return [text for it in self.generation.services if (text := it.trouble(self.seen))]

    @property
    def certificate(self) -> str:
        """The certificate that the door serves, for the operator; empty without TLS."""
        return certificate.told(self.plan.door, self.seen)


def _lost(path: str) -> Difference:
    return Difference(path, "is not there")


def survey(declared: DeclaredHost, *, purge: bool) -> Survey:
    """Plan the current host, look at it once, and refuse what cannot work.

    Raises RefusedError with everything that is wrong, before the first change.
    """
    facts = probe(containers=declared.by_image)
    planned = planning(declared, facts.hardware)
    seen = looking(planned.resources, planned.parts, planned.generation.services)
    checking(planned, facts, seen)
    return Survey(
        **{it.name: getattr(planned, it.name) for it in fields(Planned)},
        seen=seen,
        purge=purge,
        making=planned.made.work(declared.name, seen),
    )


def planning(declared: DeclaredHost, hardware: Hardware, *, offline: bool = False) -> Planned:
    """What the host is to be, down to its parts; no host is asked.

    `offline`: of what this machine does not have, nothing is fetched or resolved for it. Raises
    RefusedError where the plan cannot be, or cannot be known.
    """
    plan = resolved(declared, hardware)
    made = parts_of(plan, offline=offline)
    settings = {**plan.backend.env_file, **reveal(plan.backend.secrets)}
    backend_service, ui_service = serving.services(plan, made.release, settings)
    return Planned(
        hardware=hardware,
        plan=plan,
        made=made,
        settings=settings,
        backend=backend_service,
        ui=ui_service,
        local=_local(plan, gpu=bool(hardware.gpus)),
        secrets=revealed(plan.door),
        certificate_job=certificate.job(plan.door),
    )


def everything(declared: DeclaredHost) -> list[Resource]:
    """All that is declared of a host, for who only wants to know what there is and where it lies.

    That depends on no hardware, no source and no secret: nothing is asked, fetched or revealed for it.
    """
    plan = replace(resolved(declared, assumed_hardware(declared)), proxy=None)
    release = ImageRelease.of(plan) or Release.of(plan, source="", web="", lock="")
    # Whatever the inventory says now: what an earlier one brought may be here.
    brought = [] if plan.engine else containers.packages(MODERN)
    return [*brought, *_ground(plan), development.DATA, *_switchable(plan, release, {}, Revealed())]


def resolved(declared: DeclaredHost, hardware: Hardware) -> HostPlan:
    """The plan of a host. Raises RefusedError with everything that stands against it."""
    try:
        return plan_host(declared, hardware)
    except PlanError as error:
        raise RefusedError(
            [Finding(f"{it.path}: {it.allowed}", it.found, it.hint) for it in error.problems]
        ) from error


def _ground(plan: HostPlan) -> list[Ground]:
    return [*base.resources(plan), *ollama.ground(), *door.ground()]


def _switchable(
    plan: HostPlan, release: Release | ImageRelease, settings: Mapping[str, str], secrets: Revealed
) -> tuple[Switchable, ...]:
    return (
        *ollama.resources(plan),
        *release_role.resources(release),
        *backend.state(settings),
        *serving.resources(plan, release, settings),
        *door.resources(plan, secrets),
        *firewall.resources(plan),
    )


def looking(declared: Sequence[Resource], parts: Iterable[str], services: Iterable[Service] = ()) -> Seen:
    """How all of this, and what every host has of ours, stands on the current host."""
    return look(question(declared, parts, services))


def question(declared: Sequence[Resource], parts: Iterable[str], services: Iterable[Service]) -> Question:
    """All that a host is asked in order to know that."""
    doors = {it.url: it.reloads.certificate for it in services if it.reloads}
    displaced = [it for it in declared if isinstance(it, Displaced)]
    return Question(
        paths=[
            *(path for it in declared if (path := getattr(it, "path", ""))),
            *parts,
            *(
                paths.MARK,
                paths.OPT,
                paths.CA_CERTIFICATES,
                f"{paths.GENERATIONS}/current",
                paths.NGINX_BEFORE,
            ),
            *(it.to for it in displaced),
        ],
        folders=[it.path for it in declared if isinstance(it, Directory) and (it.ours or it.keeps)],
        env_files=[it.path for it in declared if isinstance(it, EnvFile)],
        units=[
            *(it.unit for it in declared if isinstance(it, Enabled)),
            *(backend.UNIT, ui.UNIT, ollama.UNIT, paths.NGINX, firewall.UNIT),
        ],
        users=[it.name for it in declared if isinstance(it, User)],
        packages=[
            *(name for it in declared if isinstance(it, Packages) for name in it.names),
            *(it.package for it in displaced),
        ],
        links={it.path: it.package for it in displaced},
        certificates=[it for it in doors.values() if it],
        doors=doors,
        manifests=paths.MANIFESTS,
        receipt=paths.RECEIPT,
    )


def checking(planned: Planned, facts: Facts, seen: Seen) -> None:
    """Raise RefusedError with everything that stands between the host and its plan."""
    local = planned.local
    coming = Coming.of(
        planned.plan,
        planned.release,
        seen,
        weights_there=local is None or local.pull.done(seen),
        ollama=local.install.makes if local else "",
    )
    unfit = [
        *ownership.findings(planned.resources, seen),
        *installing(
            facts, [name for it in planned.ground if isinstance(it, Packages) for name in it.missing(seen)]
        ),
        *serving.unfit(planned.plan, planned.made.archive),
        *nginx.unfit(planned.plan.door, door.service(planned.plan, planned.secrets), seen),
    ]
    lacking = [name for it in planned.ground if isinstance(it, Packages) for name in it.missing(seen)]
    check(planned.plan, facts, coming, lacking, unfit)


def _local(plan: HostPlan, gpu: bool) -> LocalModel | None:
    if not (plan.ollama and plan.tier and plan.model):
        return None
    return LocalModel(
        install=ollama.install_job(plan, plan.ollama),
        service=ollama.service(plan, plan.ollama, plan.tier, plan.model, gpu),
        pull=weights.pull_job(
            plan.model, plan.ollama, ollama.serve_command(plan, plan.ollama), ollama.pulls_by(plan)
        ),
    )
