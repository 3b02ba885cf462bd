"""A Python environment on a host: interpreter and packages from a lock, made by a job of its own.

Each service has its own (CONTRIBUTING.md, C10): nothing is resolved on a host, and no two share packages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pyinfra.api.operation import operation
from pyinfra.context import host

from engine import paths, remote
from engine.component import JobsWork
from engine.fetch import archive_path, fetch_line
from engine.jobs import Job
from engine.observation import Observed
from engine.operations import Commands, log_line
from engine.uv import wheel as uv_wheel
from schemas.model import Artifact, HostPlan

# The head of a lock: what it was made of, up to when the index counted, what was added or bounded, and why.
INPUTS, CUT_OFF, ADDED, BOUNDED = "# inputs: ", "# cut-off: ", "# added: ", "# bounded: "


@dataclass(frozen=True)
class Lock:
    """A requirements file with hashes. `fresh` says that this run resolved it."""

    path: Path
    text: str
    sha256: str
    fresh: bool
    refused: tuple[str, ...] = ()  # names of import that the process must not have

    @cached_property
    def packages(self) -> int:
        """How many it has."""
        return sum(1 for line in self.text.splitlines() if line[:1].isalnum())

    @property
    def added(self) -> list[str]:
        """What the files of the tier forget, each with why it is there all the same."""
        return [line.removeprefix(ADDED) for line in self.text.splitlines() if line.startswith(ADDED)]


@dataclass(frozen=True)
class Environment:
    """Where it lies, and what it is made of."""

    plan: HostPlan
    venv: str  # its folder in the store, whose name is a key of all inputs
    python: str  # the interpreter that it is made of
    artifact: Artifact | None  # that interpreter's; None: the host's own
    lock: Lock
    build_constraints: str = field(default="", repr=False)  # for packages that are published as source only

    @property
    def lock_path(self) -> str:
        """Where its lock lies on the host."""
        return f"{self.venv}.lock"

    @property
    def values(self) -> Mapping[str, Any]:
        """What `environment.j2` is rendered with, in a job of the role's."""
        plan, artifact = self.plan, self.artifact
        first = plan.store.place("pypi") if plan.store else ""
        return {
            "artifact": artifact,
            "archive": archive_path(artifact) if artifact else "",
            "fetch": fetch_line(artifact) if artifact else "",
            "python": self.python,
            "python_home": str(Path(self.python).parents[1]),
            "venv": self.venv,
            "lock": self.lock_path,
            "packages": self.lock.packages,
            "build_constraints": self.build_constraints,
            "uv": uv_path(plan),
            "uv_version": plan.uv.version,
            "first": first,
            "index": plan.mirrors.pypi or (first if plan.store and plan.store.closed else ""),
        }

    def wheel(self, observed: Observed) -> Path | None:
        """The uv that must be sent: None where the environment is there, or uv."""
        there = observed.there(self.venv) or observed.there(uv_path(self.plan))
        return None if there else uv_wheel(self.plan)


def uv_path(plan: HostPlan) -> str:
    """Where the uv that installs on the host lies."""
    return f"{paths.TOOLS}/uv-{plan.uv.version}"


@operation()
def lock_delivered(environment: Environment, wheel: Path | None, job: Job, observed: Observed) -> Commands:
    """
    Bring the lock, and the uv that installs it, to the host.

    + environment: what they are for
    + wheel: uv, on the controller; None where the host has it
    + job: what needs them
    + observed: what the host has
    """
    plan, lock = environment.plan, environment.lock
    if job.done(observed) or observed.there(environment.venv):
        host.noop("the environment is there")
        return
    if lock.fresh:
        yield log_line(f"resolved anew: keep {lock.path} (commit it, and review it as text)")
    for added in lock.added:
        yield log_line(f"added: {added}")
    yield remote.shell("put.sh", environment.lock_path, "root", "0644", stdin=lock.text)
    if wheel is not None:
        upload = f"{paths.CACHE}/{wheel.name}"
        yield remote.send(wheel, upload)
        yield remote.shell("unpack.sh", upload, plan.uv.integrity, uv_path(plan), "wheel")


@dataclass(frozen=True)
class EnvironmentWork(JobsWork):
    """What a run does for an environment: its job is started once uv and the lock are there."""

    environment: Environment
    wheel: Path | None  # uv, where an environment has to be made and the host has no uv yet

    def begin(self) -> None:
        """Start it."""
        [job] = self.jobs
        lock_delivered(
            name=f"{self.title} | uv and lock",
            environment=self.environment,
            wheel=self.wheel,
            job=job,
            observed=self.observed,
        )
        super().begin()
