"""One build of the UI for a fleet: the first host that needs it builds it, the others receive it.

A build takes minutes of every core and two gigabytes; its result is 90 MB and depends on its inputs
only, which its key names. Hosts with the same key need one build. Where there are others in the inventory,
the controller keeps it, packed: a host that comes later needs none either.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host
from pyinfra.context import state as pyinfra_state

from engine import controller, jobs, live, outcome, paths, remote
from engine.jobs import Job
from engine.observation import Observed
from engine.operations import Commands, fail
from engine.resources import sha256

# So many built UIs stay on the controller: 30 MB each.
STORED_BUILDS = 8


@dataclass
class Build:
    """One build of this run: who has its result already, and who needs it.

    Complete once every host was surveyed: that is, when the first operation is executed.
    """

    stored: bool  # on the controller, since a former run
    having: set[str] = field(default_factory=set)
    needing: set[str] = field(default_factory=set)

    @property
    def giver(self) -> str:
        """The host that the others get it from: one that has it, else one that builds it.

        The first by name: so the run after one that was killed waits for the build that goes on.
        """
        return min(self.having or self.needing)


@dataclass(frozen=True)
class UiWork:
    """What one host does for its UI: nothing, build it, or get Node and one that was built elsewhere."""

    host: str
    alone: bool  # in its inventory: nobody else will ever want its UI
    build: Build
    build_job: Job
    node_job: Job

    @property
    def there(self) -> bool:
        """Whether this host has it already."""
        return self.host in self.build.having

    @property
    def receives(self) -> bool:
        """Whether this host gets what is kept, or what another one has or builds."""
        return not self.there and (self.build.stored or self.host != self.build.giver)

    @property
    def gives(self) -> bool:
        """Whether others of this run wait for what this host has or builds, or others may want it one day."""
        if self.build.stored or self.host != self.build.giver:
            return False
        waiting = self.build.needing - {self.host}
        return bool(waiting) or not (self.there or self.alone)

    @property
    def job(self) -> Job:
        """What runs on this host."""
        return self.node_job if self.receives else self.build_job

    @property
    def archive(self) -> Path:
        """The packed UI on the controller."""
        return _archive(self.build_job)


def work_for(name: str, build_job: Job, node_job: Job, observed: Observed) -> UiWork:
    """Who has or needs what: called once a host, after its survey found nothing against it."""
    build = controller.once(("ui", build_job.key), lambda: Build(stored=_archive(build_job).exists()))
    if build_job.done(observed):
        build.having.add(name)
    else:
        build.needing.add(name)
    alone = len(pyinfra_state.inventory.hosts) == 1
    return UiWork(name, alone, build, build_job, node_job)


@operation()
def ui_work_started(work: UiWork, observed: Observed) -> Commands:
    """
    Start what this host does for its UI.

    + work: what that is
    + observed: what it has
    """
    if work.receives:
        # A run that was killed may have left a build of the same behind it.
        yield StringCommand("systemctl", "stop", work.build_job.unit, "2>/dev/null", "||", "true")
    yield from jobs.job_started._inner(work.job, observed)


@operation()
def ui_work_finished(work: UiWork, observed: Observed) -> Commands:
    """
    Wait for what this host does for its UI.

    + work: what that is
    + observed: what it had before
    """
    yield from jobs.job_finished._inner(work.job, observed)


@operation()
def ui_fetched(work: UiWork, observed: Observed) -> Commands:
    """
    Fetch the UI of this host, if another host waits for it, or may want it one day.

    + work: what this host does for its UI
    + observed: what it had before
    """
    if not work.gives:
        host.noop("no other host wants this UI")
        return
    yield FunctionCommand(_fetch, (work,), {})


@operation()
def ui_received(work: UiWork, observed: Observed) -> Commands:
    """
    Put a UI that was built elsewhere in place.

    + work: what this host does for its UI
    + observed: what it had before
    """
    # Where Node alone was lost, the UI is there, and whole.
    if not work.receives or replace(work.build_job, needs=()).done(observed):
        host.noop("this host has its UI")
        return
    yield FunctionCommand(_deliver, (work,), {})


def _archive(build_job: Job) -> Path:
    return controller.cache_directory("uis") / f"{Path(build_job.makes).name}.tar.zst"


def _packed() -> str:
    return f"{paths.CACHE}/ui.tar.zst"


def _fetch(state: Any, host: Any, work: UiWork) -> bool:
    answer = remote.ask(remote.shell("pack_ui.sh", work.build_job.makes, _packed()), timeout=600)
    # Two runs at once, each for a fleet of its own, may want the same one.
    part = work.archive.with_name(f"{work.archive.name}.{os.getpid()}.part")
    if answer.ok:
        answer = remote.receive(_packed(), part)
    if not answer.ok:
        return fail(state, host, f"the built UI could not be fetched: {answer.stderr}")
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.rename(work.archive)
    remote.ask(StringCommand("rm", "-f", _packed()))
    with contextlib.suppress(FileNotFoundError):  # such a run tidies up, too
        for old in sorted(work.archive.parent.glob("*.tar.zst"), key=lambda it: -it.stat().st_mtime)[
            STORED_BUILDS:
        ]:
            old.unlink()
    size = work.archive.stat().st_size / 1e6
    wanted_by = ", ".join(sorted(work.build.needing - {work.host})) or "hosts that come later"
    host.log(f"UI for {wanted_by}: {size:.0f} MB")
    return True


def _deliver(state: Any, host: Any, work: UiWork) -> bool:
    origin = "an earlier run" if work.build.stored else work.build.giver
    if not work.archive.exists():
        host.log(f"{origin} has no UI to give: it is built here")
        return jobs.run_here(state, host, work.build_job)
    os.utime(work.archive)  # those that were used last stay
    digest = sha256(work.archive.read_bytes())
    answer = remote.ask(remote.send(work.archive, _packed()), timeout=600)
    if answer.ok:
        unpack = remote.shell("unpack.sh", _packed(), digest, work.build_job.makes, "ui")
        answer = remote.ask(unpack, timeout=600)
    if not answer.ok:
        return fail(state, host, f"the built UI, {work.archive}, could not be delivered: {answer.stderr}")
    live.done(host, f"UI from {origin}")
    outcome.did(host.name, "received", f"UI built by {origin}")
    return True
