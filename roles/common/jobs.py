"""Long work on a host: transient units that run side by side and outlive a lost connection.

A job makes one path. While it runs, the run may do other things, die, or be started again: the unit
goes on, and the next run with the same plan waits for it instead of beginning anew.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from roles.common import outcome, remote
from roles.common.look import Seen
from roles.common.operations import Commands, fail
from roles.common.paths import JOBS
from roles.common.resources import Difference

POLL_SECONDS = 1.0
TELL_SECONDS = 15.0
LOST_SECONDS = 120.0


@dataclass(frozen=True)
class Job:
    """Work that makes the path `makes`; `key` names all of its inputs."""

    name: str
    title: str
    key: str
    makes: str
    script: str
    digest: str = ""  # of the file that it makes, where that is a file
    needs: tuple[str, ...] = ()  # what its result is of no use without, and it makes, too

    @property
    def unit(self) -> str:
        """The transient unit that it runs as."""
        return f"venom-job-{self.name}.service"

    def done(self, seen: Seen) -> bool:
        """Whether the host has the result already."""
        return not self.differs(seen)

    def differs(self, seen: Seen) -> list[Difference]:
        """What of its result the host does not have."""
        wanted = {self.makes: self.digest, **dict.fromkeys(self.needs, "")}
        return [
            Difference(path, "has another digest" if seen.there(path) else "is not there")
            for path, digest in wanted.items()
            if not seen.there(path, digest)
        ]


@operation()
def start(job: Job, seen: Seen) -> Commands:
    """
    Start the job on the host, unless its result is there or it runs already.

    + job: what to run
    + seen: what the host has
    """
    if job.done(seen):
        host.noop(f"{job.makes} is there")
        return
    yield _start_command(job)


def _start_command(job: Job) -> StringCommand:
    script = f"{remote.script('job.sh')}\n{job.script}"
    return remote.shell("start_job.sh", job.name, job.key, stdin=script)


@operation()
def finish(job: Job, seen: Seen) -> Commands:
    """
    Wait until the job has made its result, and tell how far it is.

    + job: what was started
    + seen: what the host had before
    """
    if job.done(seen):
        host.noop(f"{job.makes} is there")
        return
    yield FunctionCommand(_wait, (job,), {})


def run_here(state: Any, host: Any, job: Job) -> bool:
    """Start the job and wait for it, from within another operation; False says that it failed."""
    answer = remote.ask(_start_command(job))
    return _wait(state, host, job) if answer.ok else fail(state, host, answer.stderr)


def _wait(state: Any, host: Any, job: Job) -> bool:
    told, told_at, heard_at = "", 0.0, time.monotonic()
    begun = heard_at
    while True:
        answer = remote.ask(remote.shell("watch_job.sh", job.name, job.makes), timeout=30)
        now = time.monotonic()
        if not answer.ok:
            if remote.lost(host) or now - heard_at > LOST_SECONDS:
                return fail(
                    state,
                    host,
                    f"required  the connection to the host, until {job.title} is ready\n"
                    f"found     {answer.stderr}\n"
                    f"do        {outcome.RUN_AGAIN}",
                )
            time.sleep(POLL_SECONDS)
            continue
        heard_at = now
        status = dict(line.partition("=")[::2] for line in answer.stdout.splitlines())
        if status["state"] not in {"active", "activating", "deactivating"}:
            made = status["state"] != "failed" and status.get("made") == "yes"
            return made or fail(state, host, _failure(job))
        step = status.get("step", "")
        if step != told:
            begun = now
        if step and (step != told or now - told_at > TELL_SECONDS):
            since = f", {now - begun:.0f} s" if step == told else ""
            host.log(f"{job.title}: {step}{_progress(status)}{since}")
            told, told_at = step, now
        time.sleep(POLL_SECONDS)


def _progress(status: dict[str, str]) -> str:
    have, want = int(status.get("have", 0)), int(status.get("want", 0))
    if not have:
        return ""
    of = f" of {want / 1e6:.0f} MB, {100 * have / want:.0f} %" if want else " MB"
    return f" ({have / 1e6:.0f}{of})"


def _failure(job: Job) -> str:
    own = remote.ask(StringCommand("cat", f"{JOBS}/{job.name}/error", "2>/dev/null"))
    if own.stdout.strip():
        return f"{job.title}: failed\n{own.stdout.strip()}"
    log = remote.journal(job.unit)
    return f"{job.title} failed; what it made is not in place. Its last lines:\n{log}"
