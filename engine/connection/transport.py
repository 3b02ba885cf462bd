"""An SSH connection to a host: the key that it shows is judged, then somebody logs in; or why not."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from gevent.lock import RLock
from paramiko import (
    ChannelException,
    ProxyCommand,
    SSHException,
    Transport,
)
from paramiko.ssh_exception import IncompatiblePeer

from engine.connection import known_hosts
from engine.connection.auth import log_in
from engine.connection.ssh_config import Login
from engine.refusal import Finding, RefusedError

# Ask after 15 s of silence, every 15 s, eight times; give up on what was sent after 120 000 ms.
_KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 8, "TCP_USER_TIMEOUT": 120_000}
# What paramiko logs on its own is reported in our words, or is none of the operator's business.
_LOG = "venom.ssh"
logging.getLogger(_LOG).addHandler(logging.NullHandler())
logging.getLogger(_LOG).propagate = False
# A new host's key is recorded once, although several connections meet it at once (through one jump host).
_ADDING = RLock()

_CLOSED = "check that sshd listens there, and read its journal: it may limit connections"


def connect(login: Login, host: str, timeout: int, report: Callable[[str], None]) -> Transport:
    """A connection that is logged in. Raises RefusedError with what stands in the way.

    `host`: what the operator calls it; `timeout`: seconds for each step; `report` gets keys of new hosts.
    """
    timeout = login.timeout or timeout
    with _reached(login, host, timeout):
        transport = Transport(_way(login, host, timeout, report))
    transport.set_log_channel(_LOG)
    try:
        with _reached(login, host, timeout):
            _meet(transport, login, host, timeout, report)
        log_in(transport, login, host)
    except BaseException:
        transport.close()
        raise
    return transport


def _way(login: Login, host: str, timeout: int, report: Callable[[str], None]) -> Any:
    """What the connection goes through: a socket, or what takes the place of one."""
    if login.command:
        return ProxyCommand(login.command)
    if login.through:
        # What the channel is made of lives as long as the channel.
        jump = connect(login.through, f"the jump host of {host}", timeout, report)
        return jump.open_channel("direct-tcpip", (login.host, login.port), ("127.0.0.1", 0), timeout=timeout)
    connection = socket.create_connection((login.host, login.port), timeout)
    # SSH is a conversation of small messages. By default (Nagle's algorithm) the second of two is held
    # back until the host confirms the first, which takes it 40 ms: once in each command, and twice in
    # the handshake.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A host that vanished without a word is found out after two minutes, whatever is waited for.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE.items():
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return connection


def _meet(transport: Transport, login: Login, host: str, timeout: int, report: Callable[[str], None]) -> None:
    """Exchange keys, and judge that of the host: nothing of ours was sent until then."""
    known = _known(login)
    options = transport.get_security_options()
    options.key_types = known.algorithms(options.key_types)
    transport.banner_timeout = timeout
    transport.auth_timeout = max(timeout, 30)
    transport.start_client(timeout=timeout)
    key = transport.get_remote_server_key().asbytes()
    with _ADDING:
        known = _known(login)  # what another connection of this run recorded meanwhile
        against = known.against(key)
        if against is not None:
            raise RefusedError(
                [Finding(f"{against.requirement}, for {host}: {login}", against.found, against.remedy)]
            )
        if not known.knows(key):
            _accept(login, key, report)


def _known(login: Login) -> known_hosts.KnownHosts:
    if login.known_as:
        return known_hosts.read(login.known_hosts, login.known_as)
    return known_hosts.read(login.known_hosts, login.host, login.port)


def _accept(login: Login, key: bytes, report: Callable[[str], None]) -> None:
    file, shown = login.known_hosts[0], f"{known_hosts.kind(key)} {known_hosts.of(key)}"
    if login.strict:
        raise RefusedError(
            [
                Finding(
                    f"a known host key of {login}: ~/.ssh/config has StrictHostKeyChecking yes",
                    f"none in {', '.join(login.known_hosts)}; it shows {shown}",
                    f"compare it with the one on the host, then: ssh-keyscan {login.host} >>{file}",
                )
            ]
        )
    try:
        known_hosts.add(file, login.known_name, key)
    except OSError as error:
        found = f"{file}: {error.strerror or error}"
        remedy = "make it writable for your user, or set `ssh.known_hosts` to another file"
        raise RefusedError([Finding(f"a file to record the key of {login} in", found, remedy)]) from None
    report(f"new host: the key of {login.known_name}, {shown}, was added to {file}")


@contextmanager
def _reached(login: Login, host: str, timeout: int) -> Iterator[None]:
    """Turn what goes wrong on the way to the host into words."""
    begun = time.monotonic()
    try:
        yield
    except RefusedError:
        raise
    except Exception as error:  # whatever a library says of what is no SSH server, or no name
        # paramiko says the same of a server that says nothing and of one that closes the connection.
        silent = isinstance(error, SSHException) and time.monotonic() - begun >= timeout
        found, remedy = _why(TimeoutError() if silent else error, login, timeout)
        raise RefusedError([Finding(f"an SSH connection to {host}: {login}", found, remedy)]) from None


def _why(error: Exception, login: Login, timeout: int) -> tuple[str, str]:
    """What happened, and what to do."""
    if login.command:
        return f"the ProxyCommand of {login.name} made no connection: {_text(error)}", f"try ssh {login.name}"
    text = _text(error)
    place = (
        "HostName and Port in ~/.ssh/config" if login.jump else "`address` and `ssh.port` in the inventory"
    )
    again = f"check {place} and that the host is up; then run again"
    jump = login.through.name if login.through else ""
    match error:
        case ChannelException():
            reason = (
                f"{jump} could not connect to it: {error.text}",
                f"try ssh -J {jump} {login.host} from here",
            )
        case socket.gaierror():
            reason = f'the name "{login.host}" does not resolve ({error.strerror})', f"check {place}"
        case ConnectionRefusedError():
            reason = f"nothing listens on port {login.port}", f"start sshd there, or check {place}"
        case TimeoutError():
            reason = f"no answer within {timeout} s", again
        case IncompatiblePeer():
            reason = f"its sshd and this client have no algorithm in common: {text}", "update the host's sshd"
        case OSError() if not isinstance(error, ConnectionError):
            reason = (error.strerror or text).lower(), again
        case _:
            reason = f"it closed the connection before the login ({text})", _CLOSED
    return reason


def _text(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
