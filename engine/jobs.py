"""Long work on a host: transient units that run side by side and outlive a lost connection.

A job makes one path. While it runs, the run may do other things, die, or be started again: the unit
goes on, and the next run with the same plan waits for it instead of beginning anew.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from engine import live, outcome, progress, remote
from engine.observation import Observed
from engine.operations import Commands, fail
from engine.paths import JOBS
from engine.progress import Pace, Status
from engine.refusal import Finding
from engine.resources import Difference

POLL_SECONDS = 1.0
LOST_SECONDS = 120.0
RENEWED_DAYS = 30

# What systemd calls the end of a unit that did not end by itself.
_KILLED = {
    "signal": "somebody or something killed it",
    "oom-kill": "the kernel killed it: memory ran out",
}
_AGAIN = "run again: what it had fetched is kept where it can be"


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
    expires: str = ""  # the certificate that it makes: made anew before it is not valid any more

    @property
    def unit(self) -> str:
        """The transient unit that it runs as."""
        return f"venom-job-{self.name}.service"

    def done(self, observed: Observed) -> bool:
        """Whether the host has the result already."""
        return not self.differs(observed)

    def differs(self, observed: Observed) -> list[Difference]:
        """What of its result the host does not have."""
        wanted = {self.makes: self.digest, **dict.fromkeys(self.needs, "")}
        days = int(observed.paths.get(self.expires, {}).get("days", RENEWED_DAYS))
        return [
            *(
                Difference(path, _why(observed, path))
                for path, digest in wanted.items()
                if not observed.there(path, digest)
            ),
            *([Difference(self.expires, f"is valid for {days} days")] if days < RENEWED_DAYS else []),
        ]


def _why(observed: Observed, path: str) -> str:
    if lacks := observed.paths.get(path, {}).get("lacks"):
        return lacks
    return "has another digest" if observed.there(path) else "is not there"


@operation()
def job_started(job: Job, observed: Observed) -> Commands:
    """
    Start the job on the host, unless its result is there or it runs already.

    + job: what to run
    + observed: what the host has
    """
    if job.done(observed):
        host.noop(f"{job.makes} is there")
        return
    yield _start_command(job)


def _start_command(job: Job) -> StringCommand:
    script = f"{remote.script('job.sh')}\n{job.script}"
    return remote.shell("start_job.sh", job.name, job.key, stdin=script)


@operation()
def job_finished(job: Job, observed: Observed) -> Commands:
    """
    Wait until the job has made its result, and report how far it is.

    + job: what was started
    + observed: what the host had before
    """
    if job.done(observed):
        host.noop(f"{job.makes} is there")
        return
    yield FunctionCommand(_finish, (job,), {})


def run_here(state: Any, host: Any, job: Job) -> bool:
    """Start the job and wait for it, from within another operation; False says that it failed."""
    answer = remote.ask(_start_command(job))
    if not answer.ok:
        return fail(state, host, answer.stderr)
    return _wait(state, host, job) is not None


def _finish(state: Any, host: Any, job: Job) -> bool:
    status = _wait(state, host, job)
    if status is None:
        return False
    took = progress.duration(status.seconds)
    fetched = f", {progress.size(status.fetched)} downloaded" if status.fetched else ""
    live.done(host, f"{job.title}: ready, {took}{fetched}")
    outcome.did(host.name, "made", f"{job.title} ({took}{fetched})")
    return True


def _wait(state: Any, host: Any, job: Job) -> Status | None:
    """How the job stood when it had made its result; None where it failed, which is reported."""
    pace, step = Pace(), ""
    answered_at = time.monotonic()
    while True:
        answer = remote.ask(remote.shell("watch_job.sh", job.name, job.makes), timeout=30)
        now = time.monotonic()
        try:
            status = Status.of(answer.stdout)
        except ValueError:  # as good as no answer: it is asked again, for as long as for one that is lost
            status = Status("")
        # A host that goes down may answer once more without its systemd.
        if not (answer.ok and status.state):
            if remote.lost(host) or now - answered_at > LOST_SECONDS:
                fail(
                    state,
                    host,
                    f"required  the connection to the host, until {job.title} is ready\n"
                    f"found     {answer.stderr.strip() or 'no readable answer'}\n"
                    f"do        {outcome.RUN_AGAIN}",
                )
                return None
            time.sleep(POLL_SECONDS)
            continue
        answered_at = now
        if not status.runs:
            if status.made and status.state != "failed":
                return status
            fail(state, host, _failure(job))
            return None
        if status.step != step:
            pace, step = Pace(), status.step
        if status.unit:
            pace = pace.then(now, status.have)
        if status.step:
            live.report(host, progress.line(job.title, status, pace))
        time.sleep(POLL_SECONDS)


def _failure(job: Job) -> str:
    # The switch writes its reason, with the service's own last lines, into a file (activate.py).
    own = remote.ask(StringCommand("cat", f"{JOBS}/{job.name}/error", "2>/dev/null"))
    if own.stdout.strip():
        return f"{job.title}: failed\n{own.stdout.strip()}"
    log = remote.journal(job.unit)
    # A job that knows the reason says it last, and what came before is of no use then.
    if reason := re.search(r"^required {2}", log, re.MULTILINE):
        return f"{job.title} failed; what it made is not in place\n{log[reason.start() :]}"
    result = StringCommand("systemctl", "show", "--value", "--property", "Result", job.unit)
    if killed := _KILLED.get(remote.ask(result).stdout.strip()):
        last = log.replace("\n", "\n          ")
        found = f"{killed}. Its last lines:\n          {last}"
        return str(Finding(f"{job.title}, to its end", found, _AGAIN))
    return f"{job.title} failed; what it made is not in place. Its last lines:\n{log}"
