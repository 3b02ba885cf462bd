"""pyinfra's way to this very machine (its entry point is `venom-local`): as to others, without SSH."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from typing import Any

from gevent.subprocess import PIPE, Popen, TimeoutExpired
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import ConnectError
from pyinfra.api.output import echo
from pyinfra.connectors.local import LocalConnector
from pyinfra.connectors.util import CommandOutput, OutputLine, make_unix_command_for_host

from engine.connection import root, shell
from engine.connection.connector import prefixed
from engine.connection.streams import given
from engine.refusal import Finding, RefusedError


class Local(LocalConnector):
    """This machine. pyinfra's own connector would ask for a password of sudo's, and take bytes for text."""

    trouble: Finding | None = None  # why nothing can be run here

    @staticmethod
    def make_names_data(name: str | None = None) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
        """The one machine, by the name that pyinfra has for it."""
        yield "@local", {}, []

    def connect(self) -> None:
        """See that root runs commands here. Raises ConnectError with what stands in the way."""
        try:
            sudo = bool(self.host.data.get("_sudo"))
            root.check(self.run, getpass.getuser(), "this machine", sudo=sudo, needed=True)
        except RefusedError as refusal:
            self.trouble = refusal.findings[0]
            raise ConnectError(prefixed(self.host, self.trouble)) from None

    def run(
        self,
        command: str,
        stdin: Iterator[bytes],
        stdout: Callable[[bytes], object],
        stderr: Callable[[bytes], object],
        timeout: float | None = None,
    ) -> int:
        """Run a command; its status. Raises TimeoutError."""
        process = Popen(["/bin/sh", "-c", command], stdin=PIPE, stdout=PIPE, stderr=PIPE)
        try:
            out, err = process.communicate(b"".join(stdin), timeout=timeout)
        except TimeoutExpired:
            process.kill()
            raise TimeoutError(f"no answer within {timeout:.0f} s") from None
        stdout(out)
        stderr(err)
        return int(process.returncode)

    def run_shell_command(
        self, command: StringCommand, print_output: bool = False, print_input: bool = False, **arguments: Any
    ) -> tuple[bool, CommandOutput]:
        """Run a command; whether it ended well, and what it printed. Raises TimeoutError."""
        arguments.pop("_get_pty", None)
        timeout = arguments.pop("_timeout", None)
        stdin, good = arguments.pop("_stdin", None), arguments.pop("_success_exit_codes", None) or [0]
        unix = make_unix_command_for_host(self.state, self.host, command, **arguments)
        if print_input:
            echo(f"{self.host.print_prefix}>>> {unix}", err=True)
        out, err = bytearray(), bytearray()
        status = self.run(unix.get_raw_value(), given(stdin), out.extend, err.extend, timeout)
        printed = [
            OutputLine(name, line)
            for name, text in (("stdout", out), ("stderr", err))
            for line in shell.text(bytes(text))
        ]
        for it in printed if print_output else ():
            echo(f"{self.host.print_prefix}{it.line}", err=True)
        return status in good, CommandOutput(printed)
