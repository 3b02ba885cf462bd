"""Asks the lab's upstream for faults, for one client at a time: others use the same upstream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import requests

from lab import network, upstream_process
from lab.hosts import Host
from lab.upstream_http import Fault

_ADDRESSES = [f"http://{network.GATEWAY}:{port}/_lab/faults" for port in upstream_process.PORTS]


@dataclass
class Faults:
    """The faults that a test asked for."""

    faults: list[Fault] = field(default_factory=list)

    def add(self, host: Host, kind: str, contains: str, times: int = 0) -> None:
        """Make this fault for what the host asks for, so many times; 0: always."""
        self.faults.append(Fault(kind, contains, host.address, times))
        of_host = [asdict(fault) for fault in self.faults if fault.client == host.address]
        for address in _ADDRESSES:
            answer = requests.put(address, params={"client": host.address}, json=of_host, timeout=10)
            answer.raise_for_status()


@contextmanager
def faults() -> Iterator[Faults]:
    """An upstream whose faults are taken back in the end."""
    requested = Faults()
    try:
        yield requested
    finally:
        for client in {fault.client for fault in requested.faults}:
            for address in _ADDRESSES:
                requests.delete(address, params={"client": client}, timeout=10).raise_for_status()
