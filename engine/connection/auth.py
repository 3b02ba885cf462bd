"""Logging in by key: which keys are tried, in which order, and what is reported where none fits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from paramiko import (
    Agent,
    AuthenticationException,
    BadAuthenticationType,
    PKey,
    SSHException,
    Transport,
)

from engine.connection import known_hosts
from engine.connection.ssh_config import Login
from engine.refusal import Finding, RefusedError
from schemas.declared import ssh_key

_DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")


def log_in(transport: Transport, login: Login, host: str) -> None:
    """Log in with one of the keys that there are. Raises RefusedError with what was tried."""
    tried: list[str] = []
    unfit: list[tuple[str, str]] = []
    ended = ""
    with _agent(login.agent) as held:
        for name, key in _keys(login, held, unfit):
            tried.append(name)
            try:
                if not transport.auth_publickey(login.user, key):
                    return
                ended = "it accepts the key, but asks for a second factor"
                break
            except BadAuthenticationType as error:
                ended = f"it accepts no keys, only: {', '.join(error.allowed_types)}"
                break
            except AuthenticationException as error:
                # It may have ended the connection for it, as after too many keys.
                if not transport.is_active():
                    ended = f"it closed the connection ({_text(error)})"
                    break
            except Exception as error:  # whatever a library says of what a server sent
                ended = f"it closed the connection ({_text(error)})"
                break
    found = f"sshd refused {login.user} with {', '.join(tried)}" if tried else "no key to log in with"
    if ended:
        found += f": {ended}"
    if unfit:
        found += f"; unusable: {', '.join(it for it, _ in unfit)}"
    remedy = f"put your public key into ~{login.user}/.ssh/authorized_keys, or set `ssh.user`, `ssh.key`"
    if not tried:
        remedy = (
            unfit[0][1]
            if unfit and unfit[0][1]
            else "set `ssh.key` to yours, or add it to your agent: ssh-add"
        )
    if len(tried) > 4 and ended:
        remedy = "set `ssh.key` to the right one: sshd limits the number of tries"
    raise RefusedError([Finding(f"a login by key on {host}: {login}", found, remedy)])


def _keys(login: Login, held: list[Any], unfit: list[tuple[str, str]]) -> Iterator[tuple[str, PKey]]:
    """The keys to try, in ssh's order, with their names; what cannot be used goes into `unfit`."""
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
        fault = ssh_key.fault(path)
        if fault[0]:
            unfit.append(fault)
            continue
        try:
            key = _load(path, login.certificate)
        except (SSHException, ValueError, TypeError, OSError) as error:
            unfit.append((f"{path}: {_text(error)}", ""))
            continue
        yield file, key
    if not login.only_keys:
        for key in by_blob.values():
            yield f"{key.get_name()} {known_hosts.of(key.blob)[:16]}… (agent)", key


def _load(path: str, certificate: str) -> PKey:
    """A private key, with its certificate."""
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


def _text(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
