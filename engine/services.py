"""Services: units whose processes carry the fingerprint of their inputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.observation import Observed
from engine.resources import Difference, sha256


@dataclass(frozen=True)
class Generates:
    """What a model server must generate with before it counts as serving."""

    name: str
    api: str
    gpu: bool  # whether the host has a card that the model should lie on
    load_timeout: int  # seconds
    manifest: str  # the file that lists its blobs
    may_spill: bool = False  # whether it serves although part of it lies outside VRAM
    # The unit that checks after a boot that it lies on the card; empty where nobody asks that.
    checked_by: str = ""


@dataclass(frozen=True)
class Reloads:
    """How a service of the distribution's goes on with other inputs without a restart."""

    test: tuple[str, ...]  # a command that fails where it would not take them
    site: str  # the file of ours that it reads
    certificate: str  # the file whose certificate it must serve; empty without TLS
    listens: tuple[str, ...]  # IPv4 ADDRESS:PORT of that site: another address of a port takes a restart


@dataclass(frozen=True)
class Data:
    """What a service writes: copied before other code of it starts."""

    path: str  # of the folder
    code: str  # the key of the code


@dataclass(frozen=True)
class Service:
    """A unit of ours: what its process must have been started with, and how it shows that it serves."""

    unit: str
    title: str
    fingerprint: str
    url: str  # answers 200 once the service does what it is for; one that reloads: with its fingerprint
    ready_timeout: int  # seconds
    first: bool = False  # the others start once it answers
    model: Generates | None = None
    reloads: Reloads | None = None
    runner: str = ""  # quadlet, podman or docker, where its process runs in a container
    data: Data | None = None

    def state(self, observed: Observed) -> str:
        """How it stands, for the operator."""
        unit = observed.units.get(self.unit, {})
        if unit.get("ActiveState") != "active":
            return unit.get("ActiveState", "not there")
        return "runs" if self.runs(observed) else "runs with other inputs than it should"

    def silence(self, observed: Observed) -> str:
        """Why it does not answer although it runs as planned; empty where it answers."""
        return observed.silent.get(self.url, "") if self.runs(observed) else ""

    def doubts(self, observed: Observed) -> list[Difference]:
        """That it was seen not to serve as it was proven to: the check after the last boot failed."""
        unit = self.model.checked_by if self.model else ""
        if observed.units.get(unit, {}).get("ActiveState") != "failed":
            return []
        why = "failed: the model does not lie on the card since the boot"
        return [Difference(unit, f"{why} (journalctl -u {unit})")]

    def trouble(self, observed: Observed) -> str:
        """That its process ended by itself since it was last started, for the operator; else empty."""
        unit = observed.units.get(self.unit, {})
        times = int(unit.get("NRestarts") or 0)
        if not times:
            return ""
        again = "once" if times == 1 else f"{times} times"
        now = "gave up" if unit.get("ActiveState") == "failed" else "it was last started"
        at = unit.get("InactiveEnterTimestamp" if now == "gave up" else "ExecMainStartTimestamp", "")
        return (
            f"{self.title} had ended by itself; systemd started it again {again}, and {now} ({at})\n"
            f"do        journalctl -u {self.unit} shows why; deploy/rollback.py goes back a generation"
        )

    def runs(self, observed: Observed) -> bool:
        """Whether its process runs and was started with the planned inputs (CONTRIBUTING.md, C3)."""
        unit = observed.units.get(self.unit, {})
        if self.reloads:
            return unit.get("ActiveState") == "active" and observed.answers.get(self.url) == self.fingerprint
        return (
            unit.get("ActiveState") == "active"
            and unit.get("Fingerprint") == self.fingerprint
            and unit.get("NeedDaemonReload") != "yes"
        )


def fingerprint(inputs: Mapping[str, Any]) -> str:
    """One short value for everything that a service depends on.

    Sixteen hex digits of SHA-256: enough to tell two inputs apart, and nothing to guess a secret from.
    """
    return sha256(json.dumps(inputs, sort_keys=True, default=str))[:16]
