"""On what a host may run (`systems.yaml`) as typed data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from schemas.reading.document import read

_PATH = Path(__file__).with_name("systems.yaml")


@dataclass(frozen=True)
class System:
    """An operating system, and what it has of its own."""

    id: str  # as /etc/os-release has it, e.g. "debian 12"
    name: str  # e.g. "Debian 12"
    codename: str  # e.g. "bookworm"
    python: str  # major and minor, e.g. "3.11"
    podman: str  # e.g. "4.3.1"
    nvidia: str = ""  # branch of NVIDIA's driver in its packages, e.g. "535"; empty where nobody has looked


@cache
def systems() -> dict[str, System]:
    """The supported systems by their ids."""
    return {name: System(name, **entry) for name, entry in _data()["systems"].items()}


def architectures() -> tuple[str, ...]:
    """The supported architectures, by Debian's names."""
    return tuple(_data()["architectures"])


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = read(_PATH).data
    return data
