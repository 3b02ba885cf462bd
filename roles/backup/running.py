"""Backups by hand: one is made now, and one is brought back, each as a job of the host."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict

from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.operation import operation

from engine import jobs, outcome, remote
from engine.answers import data, understood
from engine.jobs import Job
from engine.operations import Commands
from engine.paths import BACKED_UP, GENERATIONS, JOBS, UNITS
from engine.refusal import refuse
from engine.switch import elapsed, switch_job, switched
from roles.backup.deploy import MODULES, SCRIPTS, UNIT

# What a copy that was brought is called, in the place of a generation's key (scripts/bring.py).
_BROUGHT = "restored"


@dataclass(frozen=True)
class Copy:
    """A backup in the repository."""

    id: str
    time: str  # UTC, ISO 8601
    host: str

    def __str__(self) -> str:
        return f"{self.id}  {self.at}  {self.host}"

    @property
    def at(self) -> str:
        """When it was made, for the operator."""
        return f"{datetime.fromisoformat(self.time):%Y-%m-%d %H:%M} UTC"


class _Listed(TypedDict):
    id: str
    time: str
    host: str


def check_backups() -> None:
    """Raise RefusedError where no run has brought backups to the current host."""
    if not remote.ask(StringCommand("test", "-e", f"{UNITS}/{UNIT}")).ok:
        raise refuse(
            "a host with backups", f"no {UNIT}", "write `backup` in the inventory, run deploy/venom.py"
        )


def copies() -> list[Copy]:
    """What the current host's repository has, of every host, the oldest first. Raises RefusedError."""
    answer = remote.ask(remote.python("list.py", "", SCRIPTS, modules=MODULES), timeout=300)
    if not answer.ok:
        raise refuse("a repository that lists its backups", answer.stderr.strip() or "no answer")
    return understood("which backups there are", answer.stdout, read_copies)


def read_copies(text: str) -> list[Copy]:
    """What the script printed. Raises what `answers.data` raises."""
    return [Copy(**it) for it in data(text, list[_Listed])]


def choose(found: Sequence[Copy], of: str, wanted: str) -> Copy:
    """The last backup of the host `of`; of any host the one whose id begins with `wanted`.

    Raises RefusedError, which lists what there is.
    """
    fitting = (
        [it for it in found if it.id.startswith(wanted)] if wanted else [it for it in found if it.host == of]
    )
    if fitting and (not wanted or len(fitting) == 1):
        return fitting[-1]
    listed = "\n          ".join(str(it) for it in found) or "none"
    required = f"one backup {wanted}" if wanted else f"a backup of {of}"
    raise refuse(required, listed, "name a host with --data from=HOST, or a backup with --data snapshot=ID")


@operation(is_idempotent=False)
def backup_made() -> Commands:
    """Let the host make a backup now."""
    yield FunctionCommand(_back_up, (), {})


def _back_up(state: Any, host: Any) -> bool:
    if not jobs.run_here(state, host, backup_job(f"{time.time():.0f}")):
        return False
    answer = remote.ask(StringCommand("cat", BACKED_UP))
    outcome.serves(host.name, understood("what the backup holds", answer.stdout, summary))
    return True


def summary(text: str) -> str:
    """What the record of a backup that was made says, for the operator. Raises what `answers.data` raises."""
    it = data(text, dict[str, Any])
    return (
        f"backup {it['id']}: {it['bytes'] / 1e6:.1f} MB at {it['repository']}, {it['copies']} kept\n"
        f"the backend stood still for {it['quiet_seconds']:.1f} s of {it['seconds']:.1f} s"
    )


def backup_job(key: str) -> Job:
    """Starts the unit that the timer starts, too, and waits for it. `key`: of this one time."""
    read = "import json, sys; print(json.load(open(sys.argv[1]))['error'])"
    script = f"""\
step "back up"
if ! systemctl start {UNIT}; then
    {remote.PYTHON} -c {shlex.quote(read)} {BACKED_UP} >"$JOB/error"
    exit 1
fi
date >"$JOB/made"
step "done"
"""
    return Job(name="backup", title="Backup", key=key, makes=f"{JOBS}/backup/made", script=script)


@operation(is_idempotent=False)
def data_restored(copy: Copy, current: str, keep: int) -> Commands:
    """
    Bring a backup to the host, and let what serves go on with its data, or with what it had.

    + copy: which
    + current: the key of the generation that serves
    + keep: how many generations are kept
    """
    yield FunctionCommand(_restore, (copy, current, keep), {})


def _restore(state: Any, host: Any, copy: Copy, current: str, keep: int) -> bool:
    if not jobs.run_here(state, host, bring_job(copy, f"{time.time():.0f}")):
        return False
    path = f"{GENERATIONS}/{current}.json"
    job = switch_job(current, f"Data of {copy.at}", path, keep, elapsed(), data=_BROUGHT)
    if not switched(state, host, job):
        return False
    outcome.serves(host.name, f"serves with the data of {copy.host} of {copy.at} (backup {copy.id})")
    return True


def bring_job(copy: Copy, key: str) -> Job:
    """Brings a backup out of the repository, whole. `key`: of this one time."""
    arguments = shlex.join([copy.id, copy.time, "venom"])
    return Job(
        name="restore",
        title=f"Backup {copy.id}",
        key=f"{copy.id} {key}",
        makes=f"{JOBS}/restore/made",
        script=f"{remote.PYTHON} -I -S - {arguments} <<'PYTHON' && date >\"$JOB/made\"\n"
        f"{remote.program('bring.py', MODULES, SCRIPTS)}PYTHON\n",
    )
