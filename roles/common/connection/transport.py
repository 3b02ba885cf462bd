"""An SSH connection to a host: the key that it shows is judged, then somebody logs in; or why not."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from gevent.lock import RLock
from paramiko import (
    Agent,
    AuthenticationException,
    BadAuthenticationType,
    ChannelException,
    PKey,
    ProxyCommand,
    SSHException,
    Transport,
)
from paramiko.ssh_exception import IncompatiblePeer

from roles.common.connection import known_hosts
from roles.common.connection.ssh_config import Login
from roles.common.refusal import Finding, RefusedError
from schemas import ssh_key

# Ask after 15 s of silence, every 15 s, eight times; give up on what was sent after 120 000 ms.
_KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 8, "TCP_USER_TIMEOUT": 120_000}
_DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
# What paramiko says on its own is told in our words, or is none of the operator's business.
_LOG = "venom.ssh"
logging.getLogger(_LOG).addHandler(logging.NullHandler())
logging.getLogger(_LOG).propagate = False
# A new host's key is noted once, although several connections meet it at once (through one jump host).
_NOTING = RLock()

_CLOSED = "see whether sshd is what listens there, and what its journal says: it may limit connections"
_AGAIN = "see that the host is up, and `address` and `ssh.port` in the inventory; then run again"


def connect(login: Login, host: str, timeout: int, tell: Callable[[str], None]) -> Transport:
    """A connection that is logged in. Raises RefusedError with what stands in the way.

    `host`: what the operator calls it; `timeout`: seconds for each step; `tell` is told of keys of new hosts.
    """
    timeout = login.timeout or timeout
    with _reached(login, host, timeout):
        transport = Transport(_way(login, host, timeout, tell))
    transport.set_log_channel(_LOG)
    try:
        with _reached(login, host, timeout):
            _meet(transport, login, timeout, tell)
        _log_in(transport, login, host, timeout)
    except BaseException:
        transport.close()
        raise
    return transport


def _way(login: Login, host: str, timeout: int, tell: Callable[[str], None]) -> Any:
    """What the connection goes through: a socket, or what takes the place of one."""
    if login.command:
        return ProxyCommand(login.command)
    if login.through:
        # What the channel is made of lives as long as the channel.
        jump = connect(login.through, host, timeout, tell)
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


def _meet(transport: Transport, login: Login, timeout: int, tell: Callable[[str], None]) -> None:
    """Exchange keys, and judge that of the host: nothing of ours was sent until then."""
    known = _known(login)
    options = transport.get_security_options()
    options.key_types = known.algorithms(options.key_types)
    transport.banner_timeout = timeout
    transport.auth_timeout = max(timeout, 30)
    transport.start_client(timeout=timeout)
    key = transport.get_remote_server_key().asbytes()
    with _NOTING:
        known = _known(login)  # what another connection of this run noted meanwhile
        against = known.against(key)
        if against is not None:
            raise RefusedError(
                [Finding(f"{against.requirement}, for {login}", against.found, against.remedy)]
            )
        if not known.knows(key):
            _accept(login, key, tell)


def _known(login: Login) -> known_hosts.KnownHosts:
    if login.known_as:
        return known_hosts.read(login.known_hosts, login.known_as)
    return known_hosts.read(login.known_hosts, login.host, login.port)


def _accept(login: Login, key: bytes, tell: Callable[[str], None]) -> None:
    file, told = login.known_hosts[0], f"{known_hosts.kind(key)} {known_hosts.of(key)}"
    if login.strict:
        raise RefusedError(
            [
                Finding(
                    f"a known host key of {login}: ~/.ssh/config has StrictHostKeyChecking yes",
                    f"none in {', '.join(login.known_hosts)}; it shows {told}",
                    f"compare it with that on the host, then: ssh-keyscan {login.host} >>{file}",
                )
            ]
        )
    try:
        known_hosts.note(file, login.known_name, key)
    except OSError as error:
        found = f"{file}: {error.strerror or error}"
        remedy = "let your user write it, or name another file as `ssh.known_hosts`"
        raise RefusedError([Finding(f"a file in which the key of {login} is noted", found, remedy)]) from None
    tell(f"new host: the key of {login.known_name}, {told}, is noted in {file}")


@contextmanager
def _reached(login: Login, host: str, timeout: int) -> Iterator[None]:
    """Turn what goes wrong on the way to the host into words."""
    try:
        yield
    except RefusedError:
        raise
    except (OSError, SSHException, EOFError) as error:
        found, remedy = _why(error, login, timeout)
        raise RefusedError([Finding(f"an SSH connection to {host}: {login}", found, remedy)]) from None


def _why(error: Exception, login: Login, timeout: int) -> tuple[str, str]:
    """What happened, and what to do."""
    if login.command:
        return f"the ProxyCommand of {login.name} gave no connection: {_text(error)}", f"try ssh {login.name}"
    text = _text(error)
    jump = login.through.name if login.through else ""
    match error:
        case ChannelException():
            told = f"{jump} did not get there: {error.text}", f"try ssh -J {jump} {login.host} from here"
        case socket.gaierror():
            told = (
                f'nobody knows the name "{login.host}" ({error.strerror})',
                "check `address` in the inventory",
            )
        case ConnectionRefusedError():
            told = f"nothing listens on port {login.port}", "start sshd there, or set `ssh.port`"
        case TimeoutError():
            told = f"no answer within {timeout} s", _AGAIN
        case IncompatiblePeer():
            told = f"its sshd has nothing in common with us: {text}", "update the host's sshd"
        case OSError() if not isinstance(error, ConnectionError):
            told = (error.strerror or text).lower(), _AGAIN
        case _ if "timed out" in text.lower() or "timeout" in text.lower():
            told = f"something listens on port {login.port}, and said nothing within {timeout} s", _AGAIN
        case _:
            told = f"it closed the connection before the login ({text})", _CLOSED
    return told


def _text(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


# -- the login --------------------------------------------------------------------------------------


def _log_in(transport: Transport, login: Login, host: str, timeout: int) -> None:
    tried: list[str] = []
    unfit: list[str] = []
    ended = ""
    with _agent(login.agent) as held:
        for name, key in _keys(login, held, unfit):
            tried.append(name)
            try:
                if not transport.auth_publickey(login.user, key):
                    return
                ended = "it takes the key, and wants another proof besides"
                break
            except BadAuthenticationType as error:
                ended = f"it takes no keys, only: {', '.join(error.allowed_types)}"
                break
            except AuthenticationException as error:
                # It may have ended the connection for it, as after too many keys.
                if not transport.is_active():
                    ended = f"it closed the connection ({_text(error)})"
                    break
            except (SSHException, EOFError, OSError) as error:
                ended = f"it closed the connection ({_text(error)})"
                break
    found = (
        f"sshd refused {login.user} with {', '.join(tried)}" if tried else "there is no key to log in with"
    )
    if ended:
        found += f": {ended}"
    if unfit:
        found += f"; not of use: {', '.join(unfit)}"
    remedy = (
        f"put your public key into ~{login.user}/.ssh/authorized_keys there, or set `ssh.user`, `ssh.key`"
    )
    if len(tried) > 4 and ended:
        remedy = "name the one that fits as `ssh.key`: sshd counts how many are tried"
    raise RefusedError([Finding(f"a login by key on {host}: {login}", found, remedy)])


def _keys(login: Login, held: list[Any], unfit: list[str]) -> Iterator[tuple[str, PKey]]:
    """The keys to try, in ssh's order, with their names; what cannot be used is noted in `unfit`."""
    by_blob = {it.blob: it for it in held}
    files = [*login.keys, *([] if login.keys else _DEFAULT_KEYS)]
    for file in files:
        path = os.path.expanduser(file)  # noqa: PTH111
        if file in _DEFAULT_KEYS and not os.path.exists(path):  # noqa: PTH110
            continue
        agents = by_blob.pop(ssh_key.public(path) or b"", None)
        if agents is not None:
            yield f"{file} (agent)", agents
            continue
        try:
            yield file, _load(path, login.certificate)
        except TypeError:
            unfit.append(f"{file} (it has a passphrase, and no agent holds it: ssh-add {file})")
        except OSError as error:
            unfit.append(f"{file} ({error.strerror or error})")
        except (SSHException, ValueError) as error:
            unfit.append(f"{file} ({_text(error)})")
    if not login.only_keys:
        for key in by_blob.values():
            yield f"{key.get_name()} {known_hosts.of(key.blob)[:16]}… (agent)", key


def _load(path: str, certificate: str) -> PKey:
    """A private key, with its certificate. Raises TypeError where it has a passphrase."""
    key = PKey.from_path(path)
    if certificate and os.path.exists(certificate):  # noqa: PTH110
        key.load_certificate(certificate)
    return key


@contextmanager
def _agent(path: str) -> Iterator[list[Any]]:
    """The keys that an agent holds; none where there is no agent."""
    usual = os.environ.get("SSH_AUTH_SOCK")
    try:
        if path:  # paramiko looks nowhere else
            os.environ["SSH_AUTH_SOCK"] = path
        agent = None
        with suppress(SSHException, OSError, ValueError):
            agent = Agent()
    finally:
        if path:
            os.environ.pop("SSH_AUTH_SOCK")
            if usual is not None:
                os.environ["SSH_AUTH_SOCK"] = usual
    keys: list[Any] = []
    if agent is not None:
        for key in agent.get_keys():
            # One on a security token has no parts here; paramiko fails over that (paramiko#2462).
            if getattr(key, "inner_key", None) is None:
                key.public_blob = None
            keys.append(key)
    try:
        yield keys
    finally:
        if agent is not None:
            agent.close()
