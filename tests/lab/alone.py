"""A network of its own for a controller: the lab is in it, and there is no route to anything else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab import network
from lab.hosts import Host
from lab.state import machine

# Neither a host's nor the bridge's (lab/addresses.py).
_ADDRESS = "10.77.0.9"
_COUNTERS = "/proc/net/snmp"


@dataclass(frozen=True)
class Alone:
    """A network namespace, by its name."""

    name: str

    @property
    def within(self) -> tuple[str, ...]:
        """What a command line begins with that is to run in it."""
        return ("ip", "netns", "exec", self.name)

    @property
    def tried(self) -> int:
        """How often somebody in it has tried to send what has no route: the kernel counts."""
        return _without_route(machine([*self.within, "cat", _COUNTERS]))


@contextmanager
def alone() -> Iterator[Alone]:
    """Such a network, as long as the context lasts."""
    name, link = f"lab-alone-{os.getpid()}", f"va{os.getpid()}"
    machine(["ip", "netns", "add", name])
    try:
        machine(["ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name])
        machine(["ip", "link", "set", link, "master", network.BRIDGE, "up"])
        within = ["ip", "-n", name]
        machine([*within, "address", "add", f"{_ADDRESS}/{network.SUBNET.prefixlen}", "dev", "eth0"])
        for device in ("lo", "eth0"):
            machine([*within, "link", "set", device, "up"])
        yield Alone(name)
    finally:
        # Its end of the link goes with it, and so does the other.
        machine(["ip", "netns", "delete", name])


def tried(host: Host) -> int:
    """How often a host without a way out has tried to send what has no route."""
    return _without_route(host.run(f"cat {_COUNTERS}").stdout)


def _without_route(counters: str) -> int:
    names, values = (it.split() for it in counters.splitlines() if it.startswith("Ip: "))
    return int(dict(zip(names, values, strict=True))["OutNoRoutes"])
