"""How a host is reached, who may come in, and what is secret: parts of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Secret:
    """A reference to a secret: never its value."""

    kind: str  # env, file, command
    target: str  # the variable's name, the path (absolute), the command line


@dataclass(frozen=True)
class Ssh:
    """How to reach the host."""

    address: str
    # None: what ~/.ssh/config says of the address, and else 22 and root.
    port: int | None
    user: str | None
    key: str | None  # absolute path; None: what ~/.ssh/config says, the agent and the user's default keys
    known_hosts: str | None  # absolute path; None: the user's own
    sudo: bool | None  # None: unless the user turns out to be root

    def __str__(self) -> str:
        """As it is written on ssh's command line."""
        return f"{self.user}@{self.address}" if self.user else self.address


@dataclass(frozen=True)
class OllamaClients:
    """Other machines that may ask Ollama itself, through the door."""

    allow_from: tuple[str, ...]  # networks
    port: int


@dataclass(frozen=True)
class Door:
    """The one way in: nginx in front of backend and UI."""

    exposure: str  # loopback, lan
    allow_from: tuple[str, ...]  # networks that may come in besides the host itself
    port: int
    names: tuple[str, ...]  # under which it is opened; the host's own and its address are among them
    tls: str  # none, self-made (the host makes its certificate), own
    certificate: str  # own: absolute path on the controller; else empty
    key: Secret | None  # of that certificate
    users: Mapping[str, Secret]  # name → hash of the password; none: nobody is asked for one
    runtime_control: bool  # whether POST /api/v1/runtime/… is let through
    firewall: bool
    ollama: OllamaClients | None

    @property
    def networks(self) -> tuple[str, ...]:
        """Every network that may come in anywhere."""
        return (*self.allow_from, *(self.ollama.allow_from if self.ollama else ()))
