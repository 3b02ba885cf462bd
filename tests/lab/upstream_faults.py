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
        for address in _ADDRESSES:
            requests.put(
                address, json=[asdict(fault) for fault in self.faults], timeout=10
            ).raise_for_status()


@contextmanager
def faults() -> Iterator[Faults]:
    """An upstream whose faults are taken back in the end."""
    try:
        yield Faults()
    finally:
        for address in _ADDRESSES:
            requests.delete(address, timeout=10).raise_for_status()
