"""Asking the hosts how they stand, and reporting it for all of them at the end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pyinfra.api.exceptions import DeployError
from pyinfra.api.host import Host
from pyinfra.context import host
from pyinfra.context import state as pyinfra_state

from engine import outcome, paths, remote
from engine.answers import understood
from engine.component import Component
from engine.observation import NONCE
from engine.refusal import RefusedError, refuse
from roles.status.report import Report, document, exit_status
from roles.status.state import HostState
from roles.status.table import table

SCRIPTS = Path(__file__).parent / "scripts"
# What its program imports, each after what it imports itself.
MODULES = ("reading.py", "read_door.py", "serving.py", "switch_files.py", "snapshots.py")

_reports: dict[str, Report] = {}


def request_state(components: Iterable[Component]) -> HostState | None:
    """What serves on the current host; None on one where neither python3 nor anything of ours is.

    `components`: which versions it is asked for. Raises RefusedError where it cannot be asked.
    """
    versions = {name: command for it in components for name, command in it.versions.items()}
    request = json.dumps({"nonce": NONCE, "versions": versions})
    program = remote.program("status.py", MODULES, SCRIPTS)
    answer = remote.ask(remote.shell("ask_status.sh", program, paths.MARK, stdin=request, folder=SCRIPTS))
    if answer.ok:
        if answer.stdout.strip() == "nothing":
            return None
        return understood("what serves there", answer.stdout, HostState.of)
    raise refuse(
        "a host that root can observe (python3 answers)",
        answer.stderr.strip() or "no answer",
        "check the SSH user's sudo rights and the host's python3",
    )


@contextmanager
def errors_collected(errors: list[str]) -> Iterator[None]:
    """Record a refusal as an error of this host and go on: what else can be known is reported."""
    try:
        yield
    except RefusedError as refusal:
        errors += [str(it) for it in refusal.findings if str(it) not in errors]


def report_host(report: Report, *, json_form: bool) -> None:
    """Keep the report of the current host; with that of the last one, print all and end the run.

    It ends before pyinfra would ask whether to make changes: there are none.
    """
    if pyinfra_state.op_meta:
        raise DeployError("deploy/status.py reports how hosts stand now: run it by itself")
    _reports[host.name] = report
    if len(_reports) < len(pyinfra_state.active_hosts):
        return
    hosts = [it for it in pyinfra_state.inventory if pyinfra_state.is_host_in_limit(it)]
    reports = [_reports.get(it.name) or _unreached(it) for it in hosts]
    text = document(reports) if json_form else "\n\n".join(table(it) for it in reports)
    outcome.end(text, exit_status(reports))


def _unreached(it: Host) -> Report:
    return Report(it.name, it.data.declared.ssh.address, errors=(outcome.unreached(it),))
