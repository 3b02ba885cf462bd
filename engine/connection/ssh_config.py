"""How a host is reached: what the inventory says, then what ~/.ssh/config says of that name, as ssh reads it.

pyinfra's own reader lets its defaults win over the file, takes `ProxyJump none` for a host (pyinfra#1445)
and does not end where a jump host is reached through itself (pyinfra#728).
"""

from __future__ import annotations

import getpass
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from paramiko import ConfigParseError, CouldNotCanonicalize, SSHConfig
from paramiko.config import SSHConfigDict

from engine.connection.known_hosts import PORT, entry_name
from engine.refusal import refuse

KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
OF_ALL_USERS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
CONFIG = "~/.ssh/config"
_DEPTH = 16  # what includes what, and who is reached through whom; as deep as ssh goes


@dataclass(frozen=True)
class Login:
    """One login: to the host, or to a jump host before it."""

    name: str  # as it was asked for
    host: str
    port: int
    user: str
    keys: tuple[str, ...] = ()  # files; empty: the agent's and the user's default ones
    only_keys: bool = False  # whether no others are to be tried
    certificate: str = ""
    agent: str = ""  # socket of an agent; empty: that of the environment
    known_as: str = ""  # in known_hosts, where that is another name
    known_hosts: tuple[str, ...] = ()  # files; a new host is recorded in the first
    strict: bool = False  # whether a new host is refused
    timeout: int = 0  # seconds; 0: the run's
    command: str = ""  # that makes the connection
    through: Login | None = None
    jump: bool = False  # whether it is only a jump host

    def __str__(self) -> str:
        """E.g. "root@192.0.2.10 port 22, through jump@192.0.2.1 port 22"."""
        alias = f"{self.name}, " if self.name != self.host else ""
        through = f", through {self.through}" if self.through else ""
        return f"{alias}{self.user}@{self.host} port {self.port}{through}"

    @property
    def known_name(self) -> str:
        """Its name in known_hosts."""
        return self.known_as.lower() or entry_name(self.host, self.port)


def resolve(
    name: str,
    *,
    port: int | None = None,
    user: str | None = None,
    key: str | None = None,
    known_hosts: str | None = None,
    default: str = "root",
    file: str = CONFIG,
) -> Login:
    """The login of a host. What is None is what the file says, and else port 22 and the `default` user.

    Raises RefusedError where the file cannot be understood.
    """
    text = _text(Path(file).expanduser(), file)
    keys, known = (key,) if key else (), (known_hosts,) if known_hosts else ()
    return _login(text, name, port, user, default=default, keys=keys, known=known)


def _login(
    text: str,
    name: str,
    port: int | None,
    user: str | None,
    *,
    default: str,
    keys: Sequence[str] = (),
    known: Sequence[str] = (),
    before: Sequence[str] = (),
    jumps: str = "",
) -> Login:
    # As on ssh's command line: the first value of an option counts.
    options = [f"Port {port}"] if port else []
    options += [f"User {user}"] if user else []
    options += [f"ProxyJump {jumps}"] if jumps else []
    found = _lookup("\n".join(["Host *", *options, text]), name)
    host = found.get("hostname", name)
    through = _jump(text, name, found, before)
    files = known or _files(found.get("userknownhostsfile", "")) or KNOWN_HOSTS
    return Login(
        name=name,
        host=host,
        port=_number(name, found.get("port", str(PORT))),
        user=found.get("user", default),
        keys=tuple(keys) or tuple(_path(it) for it in found.get("identityfile", ())),
        only_keys=bool(keys) or found.get("identitiesonly", "") == "yes",
        certificate="" if keys else _path(found.get("certificatefile", "")),
        agent=_agent(found.get("identityagent", "")),
        known_as=found.get("hostkeyalias", ""),
        known_hosts=tuple(
            map(_path, (*files, *(_files(found.get("globalknownhostsfile", "")) or OF_ALL_USERS)))
        ),
        strict=found.get("stricthostkeychecking", "") == "yes",
        timeout=_number(name, found.get("connecttimeout", "0")),
        command="" if through else _command(found),
        through=through,
        jump=bool(before),
    )


def _jump(text: str, name: str, found: SSHConfigDict, before: Sequence[str]) -> Login | None:
    """The login of the last jump host, which is reached through those before it."""
    hosts = [it.strip() for it in found.get("proxyjump", "none").split(",") if it.strip()]
    if not hosts or hosts[0].lower() == "none" or _command(found):
        return None
    *others, last = hosts
    parts = re.fullmatch(r"(?:ssh://)?(?:([^@]+)@)?(\[[^]]+\]|[^:]+|[^@]*:[^@]*:[^@]*?)(?::(\d+))?/?", last)
    if parts is None:
        raise refuse(f"a ProxyJump of {name} in {CONFIG} as [user@]host[:port]", last, "mend it")
    user, jump, port = parts.groups()
    jump = jump.strip("[]")
    if jump in (name, *before) or len(before) >= _DEPTH:
        way = " → ".join((*before, name, jump))
        raise refuse(
            f"a route to {before[0] if before else name} whose jump hosts form no loop",
            f"{CONFIG} reaches {jump} through itself: {way}",
            f"give it a `Host {jump}` with `ProxyJump none`, before the entries for all hosts",
        )
    return _login(
        text,
        jump,
        int(port) if port else None,
        user,
        # As ssh does: only the host itself is root's by default.
        default=getpass.getuser(),
        before=(*before, name),
        jumps=",".join(others),
    )


def _lookup(text: str, name: str) -> SSHConfigDict:
    try:
        return SSHConfig.from_text(text).lookup(name)
    except (ConfigParseError, CouldNotCanonicalize, ValueError, KeyError, IndexError, TypeError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        raise refuse(
            f"a {CONFIG} that can be read, for {name}", message, f"check the output of ssh -G {name}"
        ) from None


def _number(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise refuse(f"a number in {CONFIG}, for {name}", f'"{text}"', f"check the output of ssh -G {name}")
    return int(text)


def _command(found: SSHConfigDict) -> str:
    command = str(found.get("proxycommand") or "")
    return "" if command.lower() == "none" else command


def _files(text: str) -> tuple[str, ...]:
    """The files that an option names; `none` is one that has nothing and keeps nothing."""
    try:
        files = shlex.split(text)
    except ValueError as error:
        raise refuse(
            f"files that {CONFIG} names", f"{text}: {str(error).lower()}", "close the quotes"
        ) from None
    return tuple(os.devnull if it.lower() == "none" else it for it in files)


def _agent(text: str) -> str:
    if text.lower() == "none":
        return os.devnull
    if text.startswith("$"):
        return os.environ.get(text[1:].strip("{}"), "")
    return "" if text == "SSH_AUTH_SOCK" else _path(text)


def _path(text: str) -> str:
    return str(Path(text).expanduser()) if text else ""


def _text(path: Path, what: str) -> str:
    """The configuration with what it includes; empty where there is none."""
    try:
        return "\n".join(_lines(path, 0)) if path.is_file() else ""
    except (OSError, ValueError, RuntimeError) as error:
        raise refuse(
            f"a {what} that can be read", str(error), "check the output of ssh -G for any host"
        ) from None


def _lines(path: Path, depth: int) -> Iterator[str]:
    if depth > _DEPTH:
        raise ValueError(f"{path} includes itself")
    for line in path.read_text(encoding="utf-8").splitlines():
        parts = re.match(r"\s*include(?:\s*=\s*|\s+)(.+)", line, re.IGNORECASE)
        if parts is None:
            yield line
            continue
        for pattern in shlex.split(parts[1], comments=True):
            place = Path(pattern).expanduser()
            # As in ssh: what is relative lies beside the user's own file.
            place = place if place.is_absolute() else Path("~/.ssh").expanduser() / place
            for file in sorted(place.parent.glob(place.name)):
                if file.is_file():
                    yield from _lines(file, depth + 1)
