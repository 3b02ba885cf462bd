"""What the inventory says of the fleet's store: who serves it, who asks it, and where that cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from schemas.data.contract import contract
from schemas.declared.host import DeclaredHost
from schemas.declared.networks import networks
from schemas.declared.pull import pull_problems, pullers
from schemas.model import Peer, ServedStore, Store
from schemas.reading.inherit import Settings
from schemas.reading.problem import Problem, did_you_mean, listed

_KEY = "store"


def store_problems(every: Sequence[Settings]) -> list[Problem]:
    """Everything that is wrong with the stores of a fleet. `every`: its hosts' settings."""
    problems: list[Problem] = []
    by_name = {it.host: it for it in every}
    first: dict[str, Settings] = {}
    for one in every:
        _alone(one, problems)
        pull_problems(one, problems)
        name = one.get(_KEY, "host")
        if name is None or "url" in one.get(_KEY):
            continue
        server = by_name.get(name)
        if server is None:
            hint = did_you_mean(name, by_name) or "name one, or give the url of a store that exists"
            problems.append(one.problem((_KEY, "host"), f'"{name}"', listed(by_name), hint))
            continue
        _same(one, first.setdefault(name, one), problems)
        _served(one, server, problems)
    return problems


def with_stores(hosts: Sequence[DeclaredHost], every: Sequence[Settings]) -> list[DeclaredHost]:
    """The hosts, each with the store that it asks and the one that it serves, if any.

    `every`: the settings of the fleet's hosts, without problems.
    """
    by_name = {it.host: it for it in every}
    asking = {name: it for it in every if (name := it.get(_KEY, "host"))}
    return [
        replace(
            host,
            store=_asked(host, by_name),
            serves_store=_of_server(asking[host.name], hosts) if host.name in asking else None,
            peer=_peer(host) if host.name not in asking else None,
            pull=host.pull if host.name not in asking else None,
        )
        for host in hosts
    ]


def _asked(host: DeclaredHost, every: Mapping[str, Settings]) -> Store | None:
    written: dict[str, Any] = host.settings.get(_KEY, default={})
    closed = not host.settings.get("internet", default=True)
    if "url" in written:
        return Store(written["url"].rstrip("/"), closed)
    if "host" not in written:
        return None
    name = written["host"]
    address = "127.0.0.1" if name == host.name else _address(every[name])
    return Store(_url(address, host.settings), closed)


def _of_server(one: Settings, hosts: Sequence[DeclaredHost]) -> ServedStore:
    allow_from = networks(one, (_KEY, "allow_from"), [])
    return ServedStore(_port(one), allow_from, pullers(one.get(_KEY, "host"), hosts))


def _peer(host: DeclaredHost) -> Peer | None:
    """What a host passes on; None where it has nothing large, as without a model server.

    None also of one that pulls: it is made in no run with others.
    """
    one, large = host.settings, "ollama" in contract().profiles[host.profile].services
    if host.pull or not (large and one.get(_KEY, "peers", default=False)) or _address(one) == "@local":
        return None
    return Peer(_port(one), networks(one, (_KEY, "allow_from"), []), _url(_address(one), one))


def _url(address: str, one: Settings) -> str:
    bracketed = f"[{address}]" if ":" in address else address
    return f"http://{bracketed}:{_port(one)}"


def _port(one: Settings) -> int:
    port: int = one.get(_KEY, "port", default=contract().store_port)
    return port


def _address(server: Settings) -> str:
    address: str = server.get("address", default=server.host)
    return address.partition("%")[0]


def _alone(one: Settings, problems: list[Problem]) -> None:
    """What can be said of one host's settings without the others."""
    written = one.get(_KEY)
    if written is None:
        if one.get("internet") is False:
            hint = "name a host that serves one: store: {host: …, allow_from: […]}"
            problems.append(one.problem(("internet",), "false without a store", "false with a store", hint))
        return
    if ("host" in written) == ("url" in written):
        found = "both host and url" if "host" in written else "neither host nor url"
        hint = "host: one of this inventory serves it; url: it exists already"
        problems.append(one.problem((_KEY,), found, "one of the two", hint))
    elif "url" in written:
        for name in ("port", "allow_from", "peers"):
            if name in written:
                found = f"{name} of a store that exists already"
                problems.append(one.problem((_KEY, name), found, f"{name} with host", f"remove {name}"))


def _same(one: Settings, first: Settings, problems: list[Problem]) -> None:
    """One store is one: who names the same host says the same of it."""
    if one.get(_KEY) != first.get(_KEY):
        name = one.get(_KEY, "host")
        found = f"another port, or other networks, for the store of {name} than {first.host} has"
        hint = "write store once, under defaults or a group"
        problems.append(one.problem((_KEY,), found, "one declaration for a store", hint))


def _served(one: Settings, server: Settings, problems: list[Problem]) -> None:
    """What the host that serves a store has against it."""
    if not one.written(_KEY, "allow_from"):
        hint = "name the networks of the fleet, e.g. allow_from: [192.168.1.0/24]"
        problems.append(one.problem((_KEY,), "host without allow_from", "host with allow_from", hint))
    networks(one, (_KEY, "allow_from"), problems)
    if _address(server) == "@local":
        found = f"{server.host}, whose address is @local: no other host reaches that"
        problems.append(one.problem((_KEY, "host"), found, "a host with an address of its own"))
    _own_port(one, server, problems)
    if one is not server and one.get(_KEY, "peers", default=False):
        _own_port(one, one, problems)


def _own_port(one: Settings, server: Settings, problems: list[Problem]) -> None:
    """The store's port is free on the host that serves it, or passes on what it holds."""
    port, ports = _port(one), {**contract().ports, **server.get("ports", default={})}
    door = 80 if server.get("door", "tls", default=contract().door.tls) == "none" else 443
    taken = {
        **{f"ports.{name}": number for name, number in ports.items()},
        "door.port": server.get("door", "port", default=door),
        "ssh.port": server.get("ssh", "port", default=22),
    }
    if server.get("door", "ollama") is not None:
        taken["door.ollama.port"] = server.get("door", "ollama", "port", default=contract().door.ollama_port)
    if others := [name for name, number in taken.items() if number == port]:
        found = f"{port}, which {' and '.join(others)} of {server.host} has too"
        problems.append(one.problem((_KEY, "port"), found, "a port of its own"))
