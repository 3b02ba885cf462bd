"""What of a host decides about its plan: architecture, interpreter, memory, cards, container engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Gpu:
    """One graphics card as the host reports it. `vram_bytes` is the total, not what is free now."""

    vendor: str  # nvidia, amd
    name: str
    vram_bytes: int
    driver: str  # as reported, e.g. "550.163.01"; empty where the vendor has none
    compute_capability: str  # e.g. "8.9"; empty for AMD, and where the driver does not report it
    unified: bool = False  # it computes in main memory, which `vram_bytes` is then


@dataclass(frozen=True)
class Drivers:
    """What is asked of NVIDIA's driver. Ranges are PEP 440's; those of cards are of compute capability."""

    # Each version of Ollama that the host could get → range of cards (empty: every card) → the oldest driver
    # with which that Ollama does not drop the card.
    needed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    known_by: Mapping[str, str] = field(default_factory=dict)  # range of cards → drivers that know such ones
    chips: Mapping[str, str] = field(default_factory=dict)  # first PCI device of a generation → capability


@dataclass(frozen=True)
class Engine:
    """What runs containers on a host."""

    kind: str  # podman, docker
    quadlets: bool  # whether systemd reads containers as units (podman 4.4 and later)


# What a host has that nobody has seen yet.
MODERN = Engine("podman", quadlets=True)


@dataclass(frozen=True)
class Hardware:
    """What of a host decides about its plan."""

    arch: str  # amd64, arm64 (Debian's names)
    python: str  # major and minor of the host's own python3, e.g. "3.11"; empty where it has none
    memory_bytes: int
    gpus: tuple[Gpu, ...]
    engine: Engine = MODERN  # of any use only where containers are planned
    system: str = ""  # as `systems.yaml` names it, e.g. "debian 12"; empty where nobody has looked
    remarks: tuple[str, ...] = ()  # what the operator should know of it
