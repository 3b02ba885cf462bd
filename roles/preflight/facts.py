"""What the probe says of a host, as data."""

from __future__ import annotations

from dataclasses import dataclass

from engine.answers import number
from roles.preflight.cards import cards
from roles.preflight.module import UNKNOWN, Module, module, remarks
from schemas.data.systems import systems
from schemas.data.version import at_least
from schemas.hardware import Engine, Gpu, Hardware

QUADLETS_SINCE = "4.4"


@dataclass(frozen=True)
class Listener:
    """Somebody who listens on a TCP port."""

    address: str
    port: int
    pid: str
    process: str
    unit: str


@dataclass(frozen=True)
class Disk:
    """A directory of ours, the file system that holds it, and the bytes free there."""

    path: str
    mount: str
    free: int


@dataclass(frozen=True)
class Facts:
    """A host as the probe found it."""

    system: str  # "debian 12"
    uid: str
    init: str
    clock: int  # seconds since 1970, UTC
    hardware: Hardware
    disks: tuple[Disk, ...]
    listeners: tuple[Listener, ...]
    gpu_trouble: str  # why no card can be used although one is there
    noexec: str = ""  # the folder from which dpkg would have to run scripts, where it cannot
    podman: str = ""  # its version, or that which the host would install
    cdi: tuple[str, ...] = ()  # kinds of devices that containers can be given by name
    nvidia: Module = UNKNOWN


def parse(text: str) -> Facts:
    """Read the lines that `probe.sh` printed.

    Raises KeyError where one that must be there is not, ValueError or OverflowError for what is no number.
    """
    one: dict[str, str] = {}
    many: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        one[name] = value
        many.setdefault(name, []).append(value)
    memory = int(float(one["memory"]))
    driver = module(one, many)
    devices = [it.address for it in driver.devices]
    nvidia = cards(many.get("nvidia", []), many.get("mig", []), devices, memory, driver.loaded)
    # What the host lacks, its system would install.
    system = systems().get(one["os"])
    podman = one.get("podman") or (system.podman if system else "")
    return Facts(
        system=one["os"],
        uid=one["uid"],
        init=one["init"],
        clock=number(one["clock"]),
        hardware=Hardware(
            arch=one["arch"],
            python=one["python"] or (system.python if system else ""),
            memory_bytes=memory,
            gpus=(*nvidia.usable, *map(_amd, many.get("amd", []))),
            engine=_engine(one, podman),
            system=one["os"],
            remarks=(*nvidia.remarks, *remarks(driver)),
        ),
        disks=tuple(_disk(value) for value in many.get("disk", [])),
        listeners=tuple(_listener(value) for value in many.get("listen", [])),
        gpu_trouble=nvidia.trouble,
        noexec=one.get("noexec", ""),
        podman=podman,
        cdi=tuple(many.get("cdi", [])),
        nvidia=driver,
    )


def silent(text: str) -> set[tuple[str, int]]:
    """Read the lines "host port" that `reach.sh` printed. Raises ValueError for another one."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    return {(host, number(port)) for host, port in lines}


def _engine(one: dict[str, str], podman: str) -> Engine:
    """Podman, unless the host runs Docker and has no podman."""
    if one.get("docker") == "active" and not one.get("podman"):
        return Engine("docker", quadlets=False)
    return Engine("podman", quadlets=at_least(podman or QUADLETS_SINCE, QUADLETS_SINCE))


def _disk(value: str) -> Disk:
    path, _, rest = value.partition(" ")
    mount, _, free = rest.rpartition(" ")
    return Disk(path, mount, int(float(free)))


def _listener(value: str) -> Listener:
    address, pid, process, unit = value.split(" ", 3)
    host, _, port = address.rpartition(":")
    return Listener(host, number(port), pid, process, unit)


def _amd(value: str) -> Gpu:
    name, _, memory = value.rpartition("|")
    return Gpu("amd", name or "AMD", number(memory), "", "")
