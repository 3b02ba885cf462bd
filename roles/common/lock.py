"""One run at a time on a host: a lock that goes with the run that holds it, however that ends."""

from __future__ import annotations

import getpass
import shlex
import socket
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO, Any

from paramiko import SSHException
from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.api.state import BaseStateCallback
from pyinfra.context import host

from roles.common import outcome, remote
from roles.common.operations import Commands, fail
from roles.common.paths import GENERATIONS

# Standard input and output of each host's lock: it lasts as long as the first is open.
_held: dict[str, tuple[IO[Any], IO[Any]]] = {}


@operation()
def acquired(needed: bool, what: str, generation: str) -> Commands:
    """
    Keep other runs from changing this host until `released`, or until this run is gone.

    + needed: whether this run changes anything there
    + what: what it does, for others to read
    + generation: what was current when the host was looked at
    """
    if not needed:
        host.noop("nothing is changed here")
        return
    yield FunctionCommand(_acquire, (what, generation), {})


@operation()
def released() -> Commands:
    """Let other runs change this host again."""
    if host.name not in _held:
        host.noop("no lock is held")
        return
    yield FunctionCommand(_release, (), {})


class _ReleaseOnError(BaseStateCallback):
    """A run that fails on a host is over there."""

    @staticmethod
    def operation_host_error(
        state: Any, host: Any, op_hash: str, retry_count: int = 0, max_retries: int = 0
    ) -> None:
        _release(state, host)


def _acquire(state: Any, host: Any, what: str, generation: str) -> bool:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    text = f"{getpass.getuser()}@{socket.gethostname()} since {since}: {what}"
    sudo = "sudo -n " if host.data.get("_sudo") else ""
    command = f"{sudo}sh -c {shlex.quote(remote.script('lock.sh'))} sh {shlex.quote(text)}"
    hold = _open(host.connector, command)
    said, _, other = hold[1].readline().strip().partition(" ")
    if said == "busy":
        return fail(
            state,
            host,
            "required  no other run that changes this host\n"
            f"found     {other}\n"
            "do        wait until it is over; where it hangs, end it: its lock goes with it",
        )
    if said == "after":
        host.log(f"takes over from a run that did not end properly: {other}")
    _held[host.name] = hold
    now = remote.ask(StringCommand("readlink", f"{GENERATIONS}/current", "||", "true"))
    if now.stdout.strip().removesuffix(".json") != generation:
        _release(state, host)
        return fail(
            state,
            host,
            "required  a host that nobody changes between the look and the lock\n"
            "found     another run has ended there just now\n"
            "do        run again",
        )
    if not any(isinstance(handler, _ReleaseOnError) for handler in state.callback_handlers):
        state.add_callback_handler(_ReleaseOnError())
    return True


def _open(connector: Any, command: str) -> tuple[IO[Any], IO[Any]]:
    """Start the command; returns its standard input, which stays open, and its output."""
    client = getattr(connector, "client", None)
    if client is not None:
        stdin, stdout, _ = client.exec_command(command)
        return stdin, stdout
    process = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def _release(state: Any, host: Any) -> bool:
    hold = _held.pop(host.name, None)
    if hold is not None:
        stdin, stdout = hold
        # Where the connection is lost, the lock went with it.
        with suppress(OSError, EOFError, SSHException):
            stdin.write(f"{outcome.in_a_line(state, host.name)}\n")
            stdin.flush()
            stdin.close()
            stdout.read()  # until it has written its line and is gone
    return True
