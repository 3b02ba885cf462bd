"""A component: one concern of a host as its plan wants it, whole. Absent is a component, too.

A role returns one, `fleet/components.py` lists them, and whatever a run does with a host iterates over that
list: the assessment and its preflight, the packet filter, the switch, status, acceptance and removal. None
of them names a service. Made on the controller; nothing here asks or changes a host by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from engine import jobs, paths
from engine.jobs import Job
from engine.observation import Observed
from engine.refusal import Finding
from engine.resources import Absent, File, Prerequisite, Switchable
from engine.services import Service

_UNITS = f"{paths.UNITS}/"


@dataclass(frozen=True)
class Port:
    """A TCP port that a component listens at."""

    number: int
    name: str  # who listens, for the operator
    setting: str = "ports"  # of the inventory, which gives it another one
    exposed: bool = False  # whether others than the host itself may come; the rest is closed to them


@dataclass(frozen=True)
class Driver:
    """The oldest driver of NVIDIA's cards that a component runs with, by ranges of compute capability."""

    what: str  # e.g. "Ollama 0.24.0"
    oldest: Mapping[str, str]  # range (empty: every card) → driver
    # What to write in the inventory for another version of it → the same of that one; the newest first.
    instead: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Need:
    """What comes to a host for a component, unless it is there: its room, its memory, where it is had."""

    what: str  # for the operator, e.g. "node 22.12.0"
    # Where one of these paths is there (of the digest that stands beside it, if any), nothing comes.
    unless: Mapping[str, str] = field(default_factory=dict)
    disk: Mapping[str, int] = field(default_factory=dict)  # folder → bytes in it while this comes
    memory: int = 0  # bytes while it is made, beside all that serves
    sources: tuple[str, ...] = ()  # URLs, one of which must answer; none: nobody is asked
    while_: str = ""  # what takes the memory, e.g. "building the UI"
    brings: tuple[str, ...] = ()  # items of the fleet's store, by kind or name; that of its own name besides

    def comes(self, observed: Observed) -> bool:
        """Whether it is not on the host yet."""
        return not any(observed.there(path, digest) for path, digest in self.unless.items())


class Work(Protocol):
    """What a run does on a host for what a component has to make, in operations.

    Long work is begun for all components before any of it is awaited, so that it goes on side by side.
    """

    def begin(self) -> None:
        """Start it."""

    def end(self) -> None:
        """Wait for it, and put what it made in place."""

    def share(self) -> None:
        """Let other hosts of the run have what this one has; all that is done on a host that is so."""


@dataclass(frozen=True)
class JobsWork:
    """The usual work of a component: each of its jobs is started, then awaited."""

    title: str  # of the operations: the same on every host, whatever it gets
    jobs: Sequence[Job]
    observed: Observed

    def begin(self) -> None:
        """Start them."""
        for job in self.jobs:
            jobs.job_started(name=f"{self.title} | start", job=job, observed=self.observed)

    def end(self) -> None:
        """Wait for them."""
        for job in self.jobs:
            jobs.job_finished(name=f"{self.title} | finish", job=job, observed=self.observed)

    def share(self) -> None:
        """Nobody else wants what they make."""


def _nothing(_observed: Observed) -> Sequence[Finding]:
    return ()


@dataclass(frozen=True)
class Component:
    """One concern of a host. Each field is what one part of the house asks of it."""

    name: str  # e.g. "ollama"; of a service also what its figures are called by
    prerequisites: tuple[Prerequisite, ...] = ()  # mended in place, and never taken back
    resources: tuple[Switchable, ...] = ()  # switched by a rename, and switched back
    # What an earlier inventory may have brought: removal looks for it.
    leftovers: tuple[Prerequisite, ...] = ()
    jobs: tuple[Job, ...] = ()  # what must be made
    feeds: bool = False  # whether what it makes is fetched by others, from their packages on
    after: tuple[str, ...] = ()  # components whose work must have ended before this one's begins
    work: Callable[[str, Observed], Work] | None = None  # of a host by name; None: the jobs, side by side
    service: Service | None = None
    unit: str = ""  # its unit; where there is no service, it must not run
    # Whether nobody else may have a unit of that name, even where this is absent.
    claims: bool = False
    apart: bool = False  # its unit runs whatever generation serves: it is in none
    ports: tuple[Port, ...] = ()
    store_paths: tuple[str, ...] = ()  # what of the stores a generation with it needs
    looked_at: tuple[str, ...] = ()  # further paths that its work decides by
    needs: tuple[Need, ...] = ()
    memory: int = 0  # bytes, resident while it serves
    driver: Driver | None = None
    # What of this host stands against it; it may ask the host.
    unfit: Callable[[Observed], Sequence[Finding]] = _nothing
    concerns: tuple[str, ...] = ()  # checks of the acceptance for whose failure its journal says why
    # What of it has a version, for status: its name → a command on the host whose last word that is.
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # What of it lies on the disk: its figure's name → path. A program stands for its whole installation.
    sizes: Mapping[str, str] = field(default_factory=dict)

    @property
    def owns_unit(self) -> bool:
        """Whether the file of its unit is ours: a distribution's brings its own."""
        file = f"{paths.UNITS}/{self.unit}"
        declared = (*self.resources, *self.prerequisites)
        return bool(self.unit) and any(getattr(it, "path", "") == file for it in declared)

    def beside(self, observed: Observed) -> Component:
        """The same on a host where somebody else has the name of a unit that this only wants gone.

        Nobody of ours needs the name there, so theirs is left alone (CONTRIBUTING.md, C7).
        """
        declared = (*self.resources, *self.prerequisites)
        written = any(isinstance(it, File) and it.path.startswith(_UNITS) for it in declared)
        if self.claims or self.service or written:
            return self
        theirs = [it for it in declared if isinstance(it, Absent) and _is_theirs(it.path, observed)]
        return replace(
            self,
            resources=tuple(it for it in self.resources if it not in theirs),
            prerequisites=tuple(it for it in self.prerequisites if it not in theirs),
            unit="" if observed.foreign(self.unit) else self.unit,
        )

    def to_do(self, host: str, observed: Observed) -> Work:
        """What a run does for it on the host of this name, from what it has."""
        return (
            self.work(host, observed) if self.work else JobsWork(self.name.capitalize(), self.jobs, observed)
        )


def _is_theirs(path: str, observed: Observed) -> bool:
    return path.startswith(_UNITS) and observed.there(path) and not observed.ours(path)


def feed(works: Mapping[str, Work], components: Iterable[Component]) -> None:
    """Do the work of the components from which others of the run fetch, before those begin to."""
    for it in components:
        if it.feeds:
            works[it.name].begin()


def carry_out(works: Mapping[str, Work], components: Iterable[Component]) -> None:
    """Begin all work, and then wait for it: side by side, but for what comes after others.

    `works`: by the name of its component.
    """
    ended: set[str] = set()

    def end(name: str) -> None:
        if name in works and name not in ended:
            works[name].end()
            ended.add(name)

    listed = list(components)
    for it in [it for it in listed if not it.after] + [it for it in listed if it.after]:
        for name in it.after:
            end(name)
        if not it.feeds:
            works[it.name].begin()
    for it in listed:
        end(it.name)
