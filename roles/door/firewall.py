"""The host's packet filter in front of the door: a table of its own, loaded by a unit of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network

from engine import paths
from engine.component import Component
from engine.resources import Absent, Enabled, File, Switchable
from engine.services import Reloads, Service, fingerprint
from engine.templates import render
from schemas.model import Door

UNIT = paths.FIREWALL
RULES = f"{paths.DOOR}/firewall.nft"
# What nft listed when the unit had loaded the rules: other rules list otherwise.
LOADED = "/run/venom-firewall/loaded"
LISTING = "/usr/sbin/nft --stateless list table inet venom"


Open = Mapping[int, Sequence[str]]
_NOTHING: Open = {}


@dataclass(frozen=True)
class _Networks:
    four: list[str] = field(default_factory=list)
    six: list[str] = field(default_factory=list)


def resources(door: Door, behind: Sequence[int], besides: Open = _NOTHING) -> list[Switchable]:
    """The rules and their unit; nothing of them where the inventory wants none."""
    unit = f"{paths.UNITS}/{UNIT}"
    if not door.firewall:
        return [Absent(RULES), Absent(unit)]
    text = render(__file__, "venom-firewall.service.j2", rules=RULES, loaded=LOADED, listing=LISTING)
    return [
        File(RULES, _rules(door, behind, besides, _fingerprint(door, behind, besides))),
        File(unit, text),
        Enabled(UNIT),
    ]


def service(door: Door, behind: Sequence[int], besides: Open = _NOTHING) -> Service:
    """The table as a service that takes a reload, and answers with its fingerprint."""
    return Service(
        unit=UNIT,
        title="Firewall",
        fingerprint=_fingerprint(door, behind, besides),
        url=f"nft:{LOADED}",
        ready_timeout=15,
        reloads=Reloads(("nft", "--check", "--file", RULES), RULES, "", ()),
    )


def component(door: Door, behind: Sequence[int], besides: Open = _NOTHING) -> Component:
    """The packet filter; absent where the inventory wants none.

    `behind`: ports of the host alone; `besides`: further ones, with the networks that may reach each.
    """
    return Component(
        name="firewall",
        resources=tuple(resources(door, behind, besides)),
        service=service(door, behind, besides) if door.firewall else None,
        unit=UNIT,
    )


def _fingerprint(door: Door, behind: Sequence[int], besides: Open = _NOTHING) -> str:
    return fingerprint({"rules": _rules(door, behind, besides, "")})


def _rules(door: Door, behind: Sequence[int], besides: Open, fingerprint: str) -> str:
    opened = {
        door.port: door.allow_from,
        **({door.ollama.port: door.ollama.allow_from} if door.ollama else {}),
        **besides,
    }
    return render(
        __file__,
        "firewall.nft.j2",
        fingerprint=fingerprint,
        ports={port: _by_family(networks) for port, networks in opened.items()},
        closed=sorted({*opened, *behind}),
    )


def _by_family(networks: Sequence[str]) -> _Networks:
    four = [it for it in networks if ip_network(it).version == 4]
    return _Networks(four, [it for it in networks if it not in four])
