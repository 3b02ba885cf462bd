"""Which driver a host with a card of NVIDIA's gets, from what its system has; or why it gets none. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from engine.refusal import Finding
from engine.resources import Absent, File, Packages, Prerequisite
from roles.driver import sources
from schemas.data.systems import System, systems
from schemas.hardware import Drivers
from schemas.plan.driver import capability, is_older, oldest, suitable

BLOCKED = "/etc/modprobe.d/venom-nouveau.conf"
# Without a screen: what computes, what makes the device files, what keeps the card awake.
PROGRAMS = ("libcuda1", "nvidia-smi", "nvidia-persistenced", "nvidia-modprobe", "firmware-nvidia-gsp")
OPEN, PROPRIETARY = "nvidia-open-kernel-dkms", "nvidia-kernel-dkms"
# The open modules need a processor that cards have from Turing on; before 550 they were not for all of those
# (docs/facts.md#cards-and-drivers).
_OPEN_FROM, _OPEN_CARDS = "550", "7.5"
# Which kernels a host follows: of "6.12.57+deb13-cloud-amd64" that is "cloud-amd64".
_FLAVOUR = re.compile(r"-((?:cloud-|rt-)?(?:amd64|arm64))$")
_KEEP = "or install another driver by hand, and write `gpu: {driver: keep}`"
_NO_NOUVEAU = f"""{sources.HEADER}# It would take the card before NVIDIA's module can.
blacklist nouveau
options nouveau modeset=0
"""


@dataclass(frozen=True)
class Cards:
    """The cards of a host, and what they are to serve."""

    devices: tuple[int, ...]  # of PCI, e.g. 0x2504
    arch: str
    kernel: str  # that runs, e.g. "6.12.57+deb13-amd64"


@dataclass(frozen=True)
class Choice:
    """What is installed for the cards."""

    branch: str  # e.g. "550"
    packages: tuple[str, ...]


def choose(cards: Cards, drivers: Drivers, ollama: str, system: System) -> Choice | list[Finding]:
    """The driver of the system, if it suits every card with this version of Ollama; else why none does."""
    if not system.nvidia:
        having = " or ".join(it.name for it in systems().values() if it.nvidia)
        required = f"{having}, whose driver `gpu: {{driver: install}}` takes"
        own = "sudo ubuntu-drivers install --gpgpu" if system.id.startswith("ubuntu") else "its own tools"
        return [Finding(required, system.name, f"install it by {own}, and write `gpu: {{driver: keep}}`")]
    capabilities = sorted({capability(drivers.chips, it) for it in cards.devices})
    findings = [it for one in capabilities for it in _unsuitable(one, drivers, ollama, system)]
    if findings:
        return findings
    fits = not is_older(system.nvidia, _OPEN_FROM)
    opens = fits and all(not is_older(it, _OPEN_CARDS) for it in capabilities)
    flavour = _FLAVOUR.search(cards.kernel)
    follows = flavour[1] if flavour else cards.arch
    kernel = (f"linux-image-{follows}", f"linux-headers-{follows}")
    return Choice(system.nvidia, (*kernel, OPEN if opens else PROPRIETARY, *PROGRAMS))


def _unsuitable(of: str, drivers: Drivers, ollama: str, system: System) -> list[Finding]:
    needed = drivers.needed.get(ollama, {})
    wanted = suitable(oldest(needed, of).enough, drivers.known_by, of)
    if wanted.holds(system.nvidia):
        return []
    others = [f"{it.name} has {it.nvidia}" for it in systems().values() if wanted.holds(it.nvidia)]
    # Another Ollama, with which the driver of this very system would do.
    instead = [
        f'write `ollama: {{version: "{version}"}}`'
        for version, needs in drivers.needed.items()
        if suitable(oldest(needs, of).enough, drivers.known_by, of).holds(system.nvidia)
    ]
    served = f" with Ollama {ollama}" if ollama else ""
    return [
        Finding(
            f"a driver of {system.name} for a card of compute capability {of} or later{served}: {wanted}",
            f"{system.name} has {system.nvidia}",
            "; ".join([*others, *instead[:1], _KEEP]),
        )
    ]


def declared(choice: Choice, text: str, origin: Mapping[str, str]) -> list[Prerequisite]:
    """What the host has of it. `text`: of the sources that its own lack; empty: they have it all.

    `origin`: of the packages (`Packages`).
    """
    return [
        File(sources.FILE, text) if text else Absent(sources.FILE),
        Packages(choice.packages, origin=origin),
        # After them: its folder comes with kmod, which a host need not have yet.
        File(BLOCKED, _NO_NOUVEAU),
    ]


def leftovers() -> list[Prerequisite]:
    """What an installation may have left, for removal."""
    return [Absent(sources.FILE), Absent(BLOCKED), Packages((OPEN, PROPRIETARY, *PROGRAMS))]
