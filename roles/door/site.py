"""The site that nginx reads: who may come in where, and where each request goes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from engine.templates import render
from schemas.model import Door, HostPlan

# Where nginx answers the host itself which of our sites it serves.
FINGERPRINT_AT = "/.well-known/venom-door"
# Other ways in which a request can say where it comes from, or what it shall be taken for.
CLEARED = (
    *("Forwarded", "X-Forwarded", "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Prefix"),
    *("X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Client-IP", "X-Cluster-Client-IP", "True-Client-IP"),
    *("CF-Connecting-IP", "X-Original-URL", "X-Rewrite-URL", "X-Original-Forwarded-For"),
    *("X-HTTP-Method-Override", "X-Middleware-Subrequest", "Proxy"),
)


@dataclass(frozen=True)
class Inner:
    """What the door leads to: ports of the host itself."""

    backend: int
    ui: int
    ollama: int | None  # None: none serves here
    development: bool  # whether the UI is `next dev`

    @classmethod
    def of(cls, plan: HostPlan) -> Inner:
        """What the host of this plan has."""
        ollama = plan.ollama.port if plan.ollama else None
        return cls(plan.backend.port, plan.ui.port, ollama, plan.development is not None)


def text(door: Door, inner: Inner, fingerprint: str, *, certificate: str, key: str, users: str) -> str:
    """The site. `certificate`, `key` and `users` are files on the host; empty where there are none."""
    return render(
        __file__,
        "site.conf.j2",
        fingerprint=fingerprint,
        fingerprint_at=FINGERPRINT_AT,
        names="|".join(map(_pattern, door.names)),
        addresses=_addresses(door.allow_from),
        networks=_allowed(door.allow_from),
        port=door.port,
        certificate=certificate,
        key=key,
        users=users,
        # The password is the door's business, and nobody's behind it.
        cleared=[*CLEARED, *(["Authorization"] if users else [])],
        runtime_control=door.runtime_control,
        backend_port=inner.backend,
        ui_port=inner.ui,
        development=inner.development,
        ollama=_ollama(door, inner),
    )


def listens(door: Door) -> tuple[str, ...]:
    """The IPv4 addresses with ports at which it listens."""
    places = [(door.allow_from, door.port)]
    if door.ollama:
        places.append((door.ollama.allow_from, door.ollama.port))
    return tuple(f"{_addresses(networks)[0]}:{port}" for networks, port in places)


def _ollama(door: Door, inner: Inner) -> dict[str, Any]:
    clients = door.ollama
    if clients is None or inner.ollama is None:
        return {}
    return {
        "addresses": _addresses(clients.allow_from),
        "networks": _allowed(clients.allow_from),
        "port": clients.port,
        "to": inner.ollama,
    }


def _pattern(name: str) -> str:
    """A name as a Host header has it, as a regular expression: nginx's table of names is small."""
    return re.escape(f"[{name}]" if ":" in name else name)


def _allowed(networks: Sequence[str]) -> list[str]:
    six = ["::1"] if _of(6, networks) else []
    return ["127.0.0.1", *six, *networks]


def _addresses(networks: Sequence[str]) -> list[str]:
    """Where it listens: no wider than who may come in. IPv6 where that is asked for: a host may have none."""
    return [
        "0.0.0.0" if _of(4, networks) else "127.0.0.1",
        *(["[::]"] if _of(6, networks) else []),
    ]


def _of(version: int, networks: Iterable[str]) -> bool:
    return any(ip_network(it).version == version for it in networks)
