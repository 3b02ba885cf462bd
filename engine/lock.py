"""One run at a time on a host: a lock that goes with the run that holds it, however that ends."""

from __future__ import annotations

import getpass
import shlex
import socket
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol

from paramiko import SSHException
from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.api.state import BaseStateCallback
from pyinfra.context import host

from engine import outcome, remote
from engine.connection.connector import Connector
from engine.operations import Commands, fail
from engine.paths import GENERATIONS

# What holds each host's lock: it lasts as long as its standard input is open.
_held: dict[str, Conversation] = {}


@operation()
def host_locked(needed: bool, what: str, generation: str) -> Commands:
    """
    Keep other runs from changing this host until `host_unlocked`, or until this run is gone.

    + needed: whether this run changes anything there
    + what: what it does, for others to read
    + generation: what was current when the host was looked at
    """
    if not needed:
        host.noop("nothing is changed here")
        return
    yield FunctionCommand(_acquire, (what, generation), {})


@operation()
def host_unlocked() -> Commands:
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


class Conversation(Protocol):
    """A command that goes on while others run."""

    def line(self) -> str:
        """The first line that it says; empty where it ended."""

    def end(self, text: str) -> None:
        """Tell it a last line, and wait until it is over."""


def _acquire(state: Any, host: Any, what: str, generation: str) -> bool:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    text = f"{getpass.getuser()}@{socket.gethostname()} since {since}: {what}"
    sudo = "sudo -n " if host.data.get("_sudo") else ""
    command = f"{sudo}sh -c {shlex.quote(remote.script('lock.sh'))} sh {shlex.quote(text)}"
    try:
        hold = _open(host.connector, command)
        answer = hold.line()
    except (OSError, EOFError, SSHException) as error:
        answer = " ".join(str(error).split()) or type(error).__name__
    status, _, other = answer.strip().partition(" ")
    if status not in {"held", "busy", "after"}:
        return fail(
            state,
            host,
            "required  the lock of the host, which keeps other runs from changing it\n"
            f"found     {answer.strip() or 'no answer'}\n"
            "do        check that root can write /run there and that flock is installed; then run again",
        )
    if status == "busy":
        return fail(
            state,
            host,
            "required  no other run that changes this host\n"
            f"found     {other}\n"
            "do        wait until it ends; if it hangs, end it: its lock ends with it",
        )
    if status == "after":
        host.log(f"takes over from a run that did not end properly: {other}")
    _held[host.name] = hold
    now = remote.ask(StringCommand("readlink", f"{GENERATIONS}/current", "||", "true"))
    if not now.ok or now.stdout.strip().removesuffix(".json") != generation:
        _release(state, host)
        found = "another run has just ended there" if now.ok else now.stderr.strip() or "no answer"
        return fail(
            state,
            host,
            "required  a host that does not change between observation and lock\n"
            f"found     {found}\n"
            "do        run again",
        )
    if not any(isinstance(handler, _ReleaseOnError) for handler in state.callback_handlers):
        state.add_callback_handler(_ReleaseOnError())
    return True


def _open(connector: Any, command: str) -> Conversation:
    """Start the command, whose standard input stays open."""
    if isinstance(connector, Connector):
        return connector.converse(command)
    return _Here(command)


class _Here:
    """A conversation with a command of this very machine."""

    def __init__(self, command: str) -> None:
        self._process = subprocess.Popen(
            command, shell=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, errors="replace"
        )

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def end(self, text: str) -> None:
        self._process.communicate(text)


def _release(state: Any, host: Any) -> bool:
    hold = _held.pop(host.name, None)
    if hold is not None:
        # Where the connection is lost, the lock went with it.
        with suppress(OSError, EOFError, SSHException):
            hold.end(f"{outcome.in_a_line(state, host.name)}\n")
    return True
