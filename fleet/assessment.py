"""The assessment: everything that a run must know of a host before it changes anything there.

Planning, looking and checking are three steps, because who only wants to know how a host stands plans
and looks, and refuses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

from pyinfra.context import host

from engine import paths, remote
from engine.component import Component, Work
from engine.generation import Generation
from engine.jobs import Job
from engine.observation import Observed
from engine.question import observe_host
from engine.refusal import Finding, RefusedError
from engine.resources import (
    Difference,
    Packages,
    Prerequisite,
    Resource,
    Switchable,
    differing,
    once,
)
from engine.secrets import reveal
from engine.switch import Switch, Watch
from fleet.builds import Build
from fleet.components import Shares, components
from fleet.needed import fleet_of, wanted_by
from fleet.rollout import watch_of
from roles.door import certificate
from roles.door import deploy as door
from roles.door.secrets import Revealed, revealed
from roles.preflight import ownership
from roles.preflight.checks import installing
from roles.preflight.deploy import check, probe
from roles.preflight.facts import Facts
from roles.weights.unused import Unused, unused_weights
from schemas.declared.declaration import declaration
from schemas.hardware import Hardware
from schemas.inventory import DeclaredHost
from schemas.model import HostPlan
from schemas.plan.host import assumed_hardware, plan_host
from schemas.plan.show import serving_name, to_dict
from schemas.reading.problem import PlanError


@dataclass(frozen=True)
class Planned:
    """One host: what it is to be, and from which parts."""

    hardware: Hardware
    plan: HostPlan
    declaration: Mapping[str, Any]  # what the inventory says of it
    build: Build
    settings: Mapping[str, str]  # keys of the backend's environment file, secrets among them
    components: tuple[Component, ...]
    watch: Watch | None = None  # what a switch must stand before it counts, where the fleet switches in waves

    def beside(self, observed: Observed) -> Planned:
        """The same on a host where somebody else has names that nobody of ours needs there."""
        return replace(self, components=tuple(it.beside(observed) for it in self.components))

    @property
    def prerequisites(self) -> list[Prerequisite]:
        """What everything else stands on: mended in place, and never taken back."""
        return [it for one in self.components for it in one.prerequisites]

    @property
    def jobs(self) -> list[Job]:
        """The long work that makes the parts."""
        return [job for one in self.components for job in one.jobs]

    @property
    def resources(self) -> list[Resource]:
        """Everything that is declared of the host."""
        return [*self.prerequisites, *self.generation.resources, self.generation.file]

    @property
    def store_paths(self) -> list[str]:
        """Everything in the stores that the host needs, or that is made of what lies there."""
        made = [path for job in self.jobs for path in (job.makes, *job.needs)]
        return [
            *self.generation.store_paths,
            *made,
            *(path for one in self.components for path in one.looked_at),
        ]

    @property
    def units(self) -> list[str]:
        """The units of all components, whether they are to run or not."""
        return units_of(self.components)

    @cached_property
    def generation(self) -> Generation:
        """All that is switched together at the end of the run."""
        plan, listed = self.plan, self.components
        return Generation(
            name=f"{serving_name(plan)}, {plan.profile}",
            resources=tuple(_switchable(listed)),
            services=tuple(it.service for it in listed if it.service),
            stopped=tuple(it.unit for it in listed if it.unit and not (it.service or it.apart)),
            store_paths=tuple(path for it in listed for path in it.store_paths),
            record={"applied": {"plan": to_dict(plan), "release": self.build.release.key}},
            declaration=self.declaration,
        )

    def differs(self, observed: Observed) -> list[Difference]:
        """What of the host is not so. Where this is empty, nothing has to be changed there."""
        return once(
            [
                *self.generation.unproven(observed),
                *differing(self.prerequisites, observed),
                *self.generation.differs(observed),
                *(it for job in self.jobs for it in job.differs(observed)),
                *self.generation.lacks(observed),
                *([] if observed.there(paths.CA_CERTIFICATES) else [_lost(paths.CA_CERTIFICATES)]),
            ]
        )

    @property
    def switch(self) -> Switch:
        """How the run ends: what the operator reads, and how many generations are kept."""
        plan = self.plan
        opened = door.opened(plan.door, plan.ssh.address, remote.command_line(host))
        return Switch(f"{self.serves}\n{opened}", plan.keep_generations, self.watch)

    @property
    def serves(self) -> str:
        """What serves once the host is so, for the operator."""
        model = f", {self.plan.model.name}" if self.plan.model else ""
        return f"serves {serving_name(self.plan)}, profile {self.plan.profile}{model}"


@dataclass(frozen=True)
class Assessment:
    """One host: what it is to be, what was seen of it, and what this run does for it."""

    planned: Planned
    observed: Observed
    works: Mapping[str, Work]  # by the component's name
    purge: bool  # whether weights that the plan does not use are to go

    @property
    def plan(self) -> HostPlan:
        """What the host is to be."""
        return self.planned.plan

    @property
    def first(self) -> bool:
        """Whether other hosts of the run may fetch from this one, so that it is made ready before them."""
        return self.plan.serves_store is not None

    @property
    def generation(self) -> Generation:
        """All that is switched together at the end of the run."""
        return self.planned.generation

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the operator should know of the host's hardware."""
        return self.planned.hardware.remarks

    @property
    def proven(self) -> bool:
        """Whether the host says that exactly this was switched to, and proven to serve."""
        return not self.generation.unproven(self.observed)

    @property
    def switches(self) -> bool:
        """Whether the host has to switch, or has to prove that it did."""
        return not self.proven or bool(self.generation.differs(self.observed))

    @property
    def in_sync(self) -> bool:
        """Whether nothing has to be changed on the host."""
        freed = self.unused.manifests or self.plan.serves_store
        return not self.planned.differs(self.observed) and not (self.purge and freed)

    @property
    def unused(self) -> Unused:
        """Weights that the plan does not use."""
        return unused_weights([job.makes for job in self.planned.jobs], self.observed)

    @property
    def troubles(self) -> list[str]:
        """What is not well with services although it is as declared."""
        return [text for it in self.generation.services if (text := it.trouble(self.observed))]

    @property
    def certificate(self) -> str:
        """The certificate that the door serves, for the operator; empty without TLS."""
        return certificate.describe(self.plan.door, self.observed)


def units_of(listed: Iterable[Component]) -> list[str]:
    """The units of components, whether they are to run or not."""
    return [it.unit for it in listed if it.unit]


def own_units(listed: Iterable[Component]) -> list[str]:
    """Those of them whose files are ours: units of the distribution's are not."""
    return [it.unit for it in listed if it.owns_unit]


def _switchable(listed: Iterable[Component]) -> list[Switchable]:
    return [it for one in listed for it in one.resources]


def _lost(path: str) -> Difference:
    return Difference(path, "is not there")


def assess(declared: DeclaredHost, *, purge: bool) -> Assessment:
    """Plan the current host, look at it once, and refuse what cannot work.

    Raises RefusedError with everything that is wrong, before the first change.
    """
    facts = probe(containers=declared.by_image)
    planned = plan_one(declared, facts.hardware)
    planned, observed = look(planned, _observe)
    check_host(planned, facts, observed)
    works = {it.name: it.to_do(declared.name, observed) for it in planned.components}
    return Assessment(planned, observed, works, purge)


def look(planned: Planned, observe: Callable[[Planned], Observed]) -> tuple[Planned, Observed]:
    """The plan beside what somebody else has on the host, and how all is that `observe` asks of it."""
    observed = observe(planned)
    beside = planned.beside(observed)
    if beside.components == planned.components:
        return planned, observed
    # That is another generation, of which nothing was asked.
    return beside, observe(beside)


def _observe(it: Planned) -> Observed:
    return observe_host(it.resources, it.store_paths, it.units, it.generation.services)


def plan_one(declared: DeclaredHost, hardware: Hardware, *, offline: bool = False) -> Planned:
    """What the host is to be, down to its parts; no host is asked.

    `offline`: of what this machine does not have, nothing is fetched or resolved for it. Raises
    RefusedError where the plan cannot be, or cannot be known.
    """
    plan = resolved(declared, hardware)
    build = Build.of(plan, offline=offline)
    settings = {**plan.backend.env_file, **reveal(plan.backend.secrets)}
    shares = Shares(fleet_of(declared), cache(lambda: wanted_by(declared, hardware, build)))
    listed = components(plan, build, settings, revealed(plan.door), shares, gpu=bool(hardware.gpus))
    watch = watch_of(declared, plan, listed)
    return Planned(hardware, plan, declaration(declared), build, settings, listed, watch)


def possible_components(declared: DeclaredHost) -> tuple[Component, ...]:
    """The components of a host, for who only wants to know what there is and where it lies.

    That depends on no hardware, no source and no secret: nothing is asked, fetched or revealed for it.
    """
    plan = replace(resolved(declared, assumed_hardware(declared)), proxy=None, backup=None)
    return components(plan, Build.unknown(plan), {}, Revealed(), gpu=False)


def declared_of(listed: Sequence[Component]) -> list[Resource]:
    """All that components declare of a host, with what an earlier inventory may have left there."""
    return [
        *(it for one in listed for it in one.leftovers),
        *(it for one in listed for it in one.prerequisites),
        *_switchable(listed),
    ]


def resolved(declared: DeclaredHost, hardware: Hardware) -> HostPlan:
    """The plan of a host. Raises RefusedError with everything that stands against it."""
    try:
        return plan_host(declared, hardware)
    except PlanError as error:
        raise RefusedError(
            [Finding(f"{it.path}: {it.allowed}", it.found, it.hint) for it in error.problems]
        ) from error


def check_host(planned: Planned, facts: Facts, observed: Observed) -> None:
    """Raise RefusedError with everything that stands between the host and its plan."""
    packages = [it for it in planned.prerequisites if isinstance(it, Packages)]
    lacking = [name for it in packages for name in it.missing(observed)]
    to_be_had = [name for it in packages if not it.later for name in it.missing(observed)]
    unfit = [
        *ownership.findings(planned.resources, own_units(planned.components), observed),
        *installing(facts, lacking),
        *(finding for it in planned.components for finding in it.unfit(observed)),
    ]
    later = any(it.later for it in packages)
    wanted = replace(packages[0], names=tuple(to_be_had))  # all come from where the first do
    check(planned.plan, planned.components, facts, observed, wanted, unfit, later=later)
