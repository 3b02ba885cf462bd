"""Switching a host to a generation: done by the host itself, and taken back if it does not serve."""

from __future__ import annotations

import getpass
import json
import shlex
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from engine import jobs, outcome, remote
from engine.generation import Generation
from engine.jobs import Job
from engine.observation import Observed
from engine.operations import Commands, log_line
from engine.paths import JOBS
from engine.resources import Absent, EnvFile, File

BEGUN = time.monotonic()
# What a step of the switch begins with, and the word for it in the summary.
_VERBS = {
    "copy": "copied",
    "start": "started",
    "restart": "restarted",
    "reload": "reloaded",
    "stop": "stopped",
}
MODULES = (
    *("hidden.py", "read_door.py", "fingerprint.py", "images.py", "spill.py", "switch_files.py"),
    "blobs.py",
    *("switch_services.py", "snapshots.py", "switch_data.py", "switch_door.py", "switch_history.py"),
    "switch_watch.py",
)


@dataclass(frozen=True)
class Chat:
    """A question that Venom must answer after a switch."""

    url: str  # of its tasks
    question: str
    unit: str  # that answers
    seconds: int  # that it may take


@dataclass(frozen=True)
class Watch:
    """What a switch must stand before it counts, beside what each does: a chat, and time."""

    seconds: int
    chat: Chat | None  # None: nothing on the host can answer one


@dataclass(frozen=True)
class Switch:
    """What the operator reads once a generation serves, how many are kept, and how it is watched."""

    serves: str
    keep: int
    watch: Watch | None = None


class Turn(Protocol):
    """When one host may switch, of many."""

    @property
    def now(self) -> bool:
        """Whether this operation is the one in which it switches."""

    def enter(self) -> str:
        """Begin to switch. Returns why it must not; empty: it may."""


@operation()
def generation_activated(
    generation: Generation, observed: Observed, needed: bool, switch: Switch, turn: Turn
) -> Commands:
    """
    Let the host switch to the generation, and prove that it serves.

    + generation: what is to be current
    + observed: what the host has
    + needed: prove it although the host is so
    + switch: how the run ends with it
    + turn: whether the host switches now
    """
    if not turn.now:
        host.noop("it switches in another wave")
        return
    different = generation.differs(observed)
    if not different and not needed:
        host.noop(f"{generation.name} serves")
        outcome.serves(host.name, switch.serves)
        return
    yield FunctionCommand(_enter, (turn,), {})
    for line in different:
        yield log_line(str(line))
    file = generation.file
    yield remote.shell("put.sh", file.path, file.owner, file.mode, stdin=file.content)
    changed = {"settings": _settings(generation, observed), "files": _files(generation, observed)}
    yield FunctionCommand(_activate, (generation, file.path, switch, changed), {})


def _enter(state: Any, host: Any, turn: Turn) -> bool:
    why = turn.enter()
    if why:
        outcome.held_back(host.name, why)
    return not why


def _settings(generation: Generation, observed: Observed) -> list[str]:
    """Names of the settings that become other ones."""
    return sorted(
        {key for it in generation.resources if isinstance(it, EnvFile) for key in it.changed(observed)}
    )


def _files(generation: Generation, observed: Observed) -> list[str]:
    """Files that become other ones, come or go; links and folders only hold them together."""
    return [it.path for it in generation.resources if isinstance(it, File | Absent) and it.differs(observed)]


def _activate(
    state: Any, host: Any, generation: Generation, path: str, switch: Switch, changed: Mapping[str, list[str]]
) -> bool:
    title = f"Switch to {generation.name}"
    job = switch_job(generation.key, title, path, switch.keep, elapsed(), watch=switch.watch)
    # In the order in which it happens. Where it is taken back, none of it is reported.
    for what, things in changed.items():
        outcome.did(host.name, what, *things)
    if not switched(state, host, job):
        return False
    outcome.serves(host.name, f"{switch.serves}\n{elapsed():.0f} s after the start")
    return True


def switched(state: Any, host: Any, job: Job) -> bool:
    """Let the host switch, and report what it recorded meanwhile; False: it took it back."""
    if not jobs.run_here(state, host, job):
        return False
    notes = remote.ask(StringCommand("cat", f"{JOBS}/{job.name}/notes", "2>/dev/null", "||", "true"))
    for line in notes.stdout.splitlines():
        host.log_styled(line, fg="yellow" if line.startswith("warning") else None)
        if line.startswith("certificate"):
            outcome.adds(host.name, line)
    steps = remote.ask(StringCommand("cat", f"{JOBS}/{job.name}/steps"))
    for verb, change in _VERBS.items():
        lines = [it.split(" ", 2) for it in steps.stdout.splitlines()]
        things = [it[2] for it in lines if len(it) == 3 and it[1] == verb]
        outcome.did(host.name, change, *things)
    return True


def elapsed() -> float:
    """Seconds since the run began."""
    return time.monotonic() - BEGUN


def switch_job(
    key: str, title: str, path: str, keep: int, elapsed: float, *, data: str = "", watch: Watch | None = None
) -> Job:
    """The job with which a host switches to the generation in the file `path`, and takes it back if
    it does not serve. `keep`: how many generations stay afterwards. `elapsed`: seconds of the run so
    far, for the receipt. `data`: the key of the generation whose data are put back, too.
    """
    who = f"{getpass.getuser()}@{socket.gethostname()}"
    watched = [json.dumps(asdict(watch))] if watch else []
    arguments = shlex.join([path, str(keep), who, f"{elapsed:.1f}", data, *watched])
    return Job(
        name="activate",
        title=title,
        key=f"{key}, data {data}" if data else key,
        makes=f"{JOBS}/activate/steps",
        script=f"exec {remote.PYTHON} - {arguments} <<'PYTHON'\n"
        f"{remote.program('activate.py', MODULES)}PYTHON\n",
    )
