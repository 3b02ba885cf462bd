"""One build of the UI for a fleet: the first host that needs it builds it, the others receive it.

A build takes minutes of every core and two gigabytes; its result is 90 MB and depends on its inputs
only, which its key names. Hosts with the same key need one build.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from roles.common import controller, paths, remote
from roles.common.jobs import Job, run_here
from roles.common.look import Seen
from roles.common.operations import Commands, fail


@dataclass
class Build:
    """A build that this run makes: on which host, and who waits for it."""

    builder: str
    receivers: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class UiWork:
    """What one host does for its UI: build it, or get Node and wait for the UI of another."""

    build: Build
    job: Job  # what runs on this host meanwhile
    build_job: Job
    path: str
    host: str

    @property
    def builds(self) -> bool:
        """Whether this host is the one that builds."""
        return self.build.builder == self.host

    @property
    def archive(self) -> Path:
        """The packed UI on the controller, on its way from host to host."""
        return controller.cache_directory("uis") / f"{self.path.rsplit('/', 1)[-1]}.tar.zst"


def work_for(name: str, build_job: Job, node_job: Job, seen: Seen) -> UiWork:
    """Who builds what: called once a host, after its survey found nothing against it."""
    path = build_job.makes
    if build_job.done(seen):
        # Nothing to wait for: its own job is done, and Node came with it.
        return UiWork(Build(name), build_job, build_job, path, name)
    build = controller.once(("ui", build_job.key), lambda: Build(name))
    if build.builder == name:
        return UiWork(build, build_job, build_job, path, name)
    build.receivers.add(name)
    return UiWork(build, node_job, build_job, path, name)


@operation()
def given(work: UiWork, seen: Seen) -> Commands:
    """
    Fetch the UI that this host has built, if another host of this run waits for it.

    + work: what this host does for its UI
    + seen: what it had before
    """
    if not work.builds or not work.build.receivers or work.build_job.done(seen):
        host.noop("no other host waits for this UI")
        return
    yield FunctionCommand(_fetch, (work,), {})


@operation()
def received(work: UiWork, seen: Seen) -> Commands:
    """
    Put the UI that another host has built in place.

    + work: what this host does for its UI
    + seen: what it had before
    """
    if work.builds or work.build_job.done(seen):
        host.noop("this host has its UI")
        return
    yield FunctionCommand(_deliver, (work,), {})


def _packed() -> str:
    return f"{paths.CACHE}/ui.tar.zst"


def _fetch(state: Any, host: Any, work: UiWork) -> bool:
    answer = remote.ask(remote.shell("pack_ui.sh", work.path, _packed()), timeout=600)
    part = work.archive.with_suffix(".part")
    if not answer.ok or not host.get_file(_packed(), str(part), _sudo=bool(host.data.get("_sudo"))):
        return fail(state, host, f"the built UI could not be fetched: {answer.stderr}")
    part.rename(work.archive)
    host.log(f"UI for {', '.join(sorted(work.build.receivers))}: {work.archive.stat().st_size / 1e6:.0f} MB")
    return True


def _deliver(state: Any, host: Any, work: UiWork) -> bool:
    if not work.archive.exists():
        host.log(f"{work.build.builder} has no UI to give: it is built here")
        return run_here(state, host, work.build_job)
    sent = host.put_file(str(work.archive), _packed(), _sudo=bool(host.data.get("_sudo")))
    answer = remote.ask(remote.shell("unpack_ui.sh", _packed(), work.path), timeout=600)
    if not sent or not answer.ok:
        return fail(state, host, f"the built UI could not be delivered: {answer.stderr}")
    host.log(f"UI from {work.build.builder}")
    return True
