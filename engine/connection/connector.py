"""pyinfra's way to our hosts (its entry point is `venom`): connects, runs commands, and carries files.

A connector of our own, as pyinfra documents it (https://docs.pyinfra.com/en/3.x/api/connectors.html), so
that nothing of pyinfra's own is patched: it decides whose key is trusted, and what is an answer.
"""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TypedDict

import gevent
from gevent.lock import RLock
from paramiko import Channel, ChannelException, SSHException, Transport
from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.exceptions import ConnectError
from pyinfra.api.output import echo, format_text
from pyinfra.api.util import get_file_io
from pyinfra.connectors.base import BaseConnector, DataMeta
from pyinfra.connectors.util import CommandOutput, OutputLine, make_unix_command_for_host

from engine.connection import root, shell
from engine.connection.shell import Reader
from engine.connection.ssh_config import Login, resolve
from engine.connection.streams import CHUNK, PATIENCE, Conversation, Lines, give, given, read
from engine.connection.transport import connect
from engine.refusal import Finding, RefusedError, refuse
from schemas.model import Ssh

# One holds the lock, one runs commands; a third where sshd has not yet forgotten the last command.
_CONNECTIONS = 3
_FORGETS = 3.0  # seconds in which sshd does that


class NoAnswerError(SSHException):
    """The host sent something else than an answer, or not all of it. pyinfra takes it as a failed command."""


class ConnectorData(TypedDict, total=False):
    """What the command line says over the inventory: pyinfra's own options."""

    ssh_port: int
    ssh_user: str
    ssh_key: str


class Connector(BaseConnector):
    """A host as the inventory declares it, reached by SSH."""

    handles_execution = True
    data_cls = ConnectorData
    data_meta = {  # noqa: RUF012 (as pyinfra declares it)
        "ssh_port": DataMeta("SSH port"),
        "ssh_user": DataMeta("SSH user"),
        "ssh_key": DataMeta("SSH key filename"),
    }

    login: Login | None = None
    trouble: Finding | None = None  # why there is no connection

    def __init__(self, state: Any, host: Any) -> None:
        super().__init__(state, host)
        self._transports: list[Transport] = []
        self._opening = RLock()

    @staticmethod
    def make_names_data(name: str) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
        """The one host of the name, by which it is known from there on."""
        yield name, {}, []

    def connect(self) -> None:
        """Log in, and see that root runs commands there. Raises ConnectError with what stands in the way."""
        try:
            self.login = self._resolved()
            declared = self.host.data.get("declared")
            if declared and self.host.data.get("_sudo") is None:
                self.host.data._sudo = self.login.user != "root"
            self._connect()
            # One that no inventory declares is only looked at, as who logs in.
            sudo = bool(self.host.data.get("_sudo"))
            where = f"{self.host.name}: {self.login}"
            root.check(self.run, self.login.user, where, sudo=sudo, needed=declared is not None)
        except RefusedError as refusal:
            self.disconnect()
            self.trouble = refusal.findings[0]
            raise ConnectError(prefixed(self.host, self.trouble)) from None

    def _resolved(self) -> Login:
        for option in ("ssh_password", "ssh_key_password"):
            if self.host.data.get(option):
                remedy = (
                    "remove it and log in with a key; add a key that has a passphrase to your agent: ssh-add"
                )
                raise refuse(f"a login by key on {self.host.name}", f"--{option.replace('_', '-')}", remedy)
        declared = self.host.data.get("declared")
        ssh = declared.ssh if declared else Ssh(self.host.name, None, None, None, None, None)
        return resolve(
            ssh.address,
            port=self.data["ssh_port"] or ssh.port,
            user=self.data["ssh_user"] or ssh.user,
            default="root" if declared else getpass.getuser(),
            key=self.data["ssh_key"] or ssh.key,
            known_hosts=ssh.known_hosts,
        )

    def _connect(self) -> Transport:
        assert self.login is not None
        timeout = self.state.config.CONNECT_TIMEOUT
        transport = connect(self.login, self.host.name, timeout, self.host.log)
        self._transports.insert(0, transport)
        return transport

    def disconnect(self) -> None:
        """End every connection to the host."""
        for transport in self._transports:
            transport.close()
        self._transports.clear()

    @property
    def lost(self) -> bool:
        """Whether a connection is gone. Within a run it does not come back."""
        return not all(it.is_active() for it in self._transports) or not self._transports

    def forward(self, address: tuple[str, int], peer: tuple[str, int]) -> Channel:
        """A connection from the host to an address that it reaches."""
        return self._transports[0].open_channel("direct-tcpip", address, peer, timeout=10)

    def start(self, command: str) -> Channel:
        """Start a command on the host, for any login shell; what it says stands between marks.

        Raises SSHException, EOFError or OSError where the host does not start it.
        """
        channel = self._session()
        channel.exec_command(shell.line(command))
        return channel

    def converse(self, command: str) -> Conversation:
        """Start a command that goes on while others run. Raises what `start` raises."""
        return Conversation(self.start(command))

    def _session(self) -> Channel:
        """A session, on a further connection where sshd lets none begin on those that there are.

        `MaxSessions 1` is common on hardened hosts, and the lock is a session that stays.
        """
        gives_up = time.monotonic() + _FORGETS
        with self._opening:
            while True:
                for transport in list(self._transports):
                    try:
                        channel = transport.open_session(timeout=PATIENCE)
                    except ChannelException as error:
                        refused = error
                        continue
                    # That on which one could begin comes first from now on.
                    self._transports.remove(transport)
                    self._transports.insert(0, transport)
                    return channel
                if len(self._transports) >= _CONNECTIONS and time.monotonic() < gives_up:
                    time.sleep(0.05)  # sshd forgets a session a moment after its end
                    continue
                if len(self._transports) >= _CONNECTIONS:
                    raise NoAnswerError(f"sshd refuses sessions ({refused.text}): see its MaxSessions")
                try:
                    self._connect()
                except RefusedError as refusal:
                    raise NoAnswerError(refusal.findings[0].found) from None

    # -- what pyinfra asks for --------------------------------------------------------------------

    def run_shell_command(
        self, command: StringCommand, print_output: bool = False, print_input: bool = False, **arguments: Any
    ) -> tuple[bool, CommandOutput]:
        """Run a command; whether it ended well, and what it printed.

        Raises NoAnswerError where what came back is no whole answer, TimeoutError, and what `start` raises.
        """
        arguments.pop(
            "_get_pty", None
        )  # a terminal would mix the two streams, and no command of ours needs one
        timeout = arguments.pop("_timeout", None)
        stdin, good = arguments.pop("_stdin", None), arguments.pop("_success_exit_codes", None) or [0]
        unix = make_unix_command_for_host(self.state, self.host, command, **arguments)
        if print_input:
            echo(f"{self.host.print_prefix}>>> {unix}", err=True)
        printed: list[OutputLine] = []
        lines = {
            name: Lines(lambda line, name=name: self._received(printed, name, line, print_output))  # type: ignore[misc]
            for name in ("stdout", "stderr")
        }
        status = self.run(
            unix.get_raw_value(), given(stdin), lines["stdout"].feed, lines["stderr"].feed, timeout
        )
        for it in lines.values():
            it.end()
        return status in good, CommandOutput(printed)

    def _received(self, printed: list[OutputLine], name: str, line: str, print_output: bool) -> None:
        printed.append(OutputLine(name, line))
        if print_output:
            echo(
                f"{self.host.print_prefix}{line if name == 'stdout' else format_text(line, 'red')}", err=True
            )

    def run(
        self,
        command: str,
        stdin: Iterator[bytes],
        stdout: Callable[[bytes], object],
        stderr: Callable[[bytes], object],
        timeout: float | None = None,
    ) -> int:
        """Run a command; its status. What it says is given to `stdout` and `stderr` as it comes."""
        ends = None if timeout is None else time.monotonic() + timeout
        channel = self.start(command)
        out, err = Reader(), Reader()
        try:
            listening = gevent.spawn(read, channel.recv_stderr, err, stderr, channel, ends)
            # A command that is over takes no more, and its answer says why.
            with suppress(OSError, EOFError):
                give(stdin, channel, ends)
            late = read(channel.recv, out, stdout, channel, ends)
            late = listening.get() or late
        finally:
            channel.close()
        if late:
            raise TimeoutError(f"no answer within {timeout:.0f} s")
        if out.status is None:
            raise NoAnswerError(self._instead(channel, out, err))
        return out.status

    def _instead(self, channel: Channel, out: Reader, err: Reader) -> str:
        """What came instead of an answer, in words."""
        if out.begun:
            return "the answer was cut off before its end"
        lines = [*shell.text(out.before), *shell.text(err.before)]
        last = next((it.strip() for it in reversed(lines) if it.strip()), "nothing")
        return f"its login shell did not run /bin/sh; it printed: {last[:200]}"

    def put_file(
        self,
        filename_or_io: Any,
        remote_filename: str,
        remote_temp_filename: str | None = None,
        print_output: bool = False,
        print_input: bool = False,
        **arguments: Any,
    ) -> bool:
        """Write a file of the host; SFTP would need a session more, and a shell that prints nothing."""
        unix = self._as_root(StringCommand("cat", ">", QuoteString(remote_filename)), arguments)
        output = bytearray()
        with get_file_io(filename_or_io) as source:
            status = self.run(unix, iter(lambda: source.read(CHUNK), b""), output.extend, output.extend)
        return status == 0

    def get_file(
        self,
        remote_filename: str,
        filename_or_io: Any,
        remote_temp_filename: str | None = None,
        print_output: bool = False,
        print_input: bool = False,
        **arguments: Any,
    ) -> bool:
        """Read a file of the host."""
        unix = self._as_root(StringCommand("cat", QuoteString(remote_filename)), arguments)
        with get_file_io(filename_or_io, "wb") as sink:
            return self.run(unix, iter(()), sink.write, bytearray().extend) == 0

    def _as_root(self, command: StringCommand, arguments: dict[str, Any]) -> str:
        sudo = bool(arguments.get("_sudo"))
        return str(make_unix_command_for_host(self.state, self.host, command, _sudo=sudo).get_raw_value())


def prefixed(host: Any, finding: Finding) -> str:
    """A finding as pyinfra prints why it did not connect: each line with the host's name."""
    lines = (format_text(it, "red") for it in str(finding).splitlines())
    return f"\n    {host.print_prefix}".join(lines)
