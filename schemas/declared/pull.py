"""What the inventory says of hosts that get their plans by themselves, and where that cannot be."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING

from schemas.model import Pull, Puller
from schemas.reading.inherit import Settings
from schemas.reading.problem import Problem
from schemas.reading.validate import schema

if TYPE_CHECKING:
    from schemas.declared.host import DeclaredHost

KEY = "pull"
_SECONDS = {"min": 60, "h": 3600, "d": 86400}


def pull_of(settings: Settings) -> Pull | None:
    """How the host gets its plan by itself; None where it does not, or where the schema objects."""
    written = settings.get(KEY, default={})
    if "signers" not in written:
        return None
    default = schema("inventory")["$defs"][KEY]["properties"]["every"]["default"]
    # Of a key its comment says nothing: who changes that changes nothing.
    signers = tuple(" ".join(it.split()[:2]) for it in written["signers"])
    return Pull(seconds(written.get("every", default)), signers)


def seconds(every: str) -> int:
    """How long a period is that is written as a number and a unit: 15min, 1h, 1d."""
    number = every.rstrip("abcdefghijklmnopqrstuvwxyz")
    return int(number) * _SECONDS[every.removeprefix(number)]


def pull_problems(one: Settings, problems: list[Problem]) -> None:
    """What stands against a host that gets its plan by itself."""
    if one.get(KEY) is not None and one.get("store") is None:
        hint = "name a host that serves one: store: {host: …, allow_from: […]}"
        problems.append(one.problem((KEY,), "pull without a store", "pull with a store", hint))


def pullers(server: str, hosts: Iterable[DeclaredHost]) -> tuple[Puller, ...]:
    """The hosts that ask the store of this one for their plans. It itself is reached by a run."""
    return tuple(
        Puller(it.name, _literal(it.ssh.address), it.pull.every)
        for it in hosts
        if it.pull and it.name != server and it.settings.get("store", "host") == server
    )


def _literal(address: str) -> str:
    """The address, if it is one and no name."""
    with suppress(ValueError):
        return str(ip_address(address.partition("%")[0]))
    return ""
