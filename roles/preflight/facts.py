"""What the probe says of a host, as data."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.model import Engine, Gpu, Hardware
from schemas.version import at_least

MIB = 1 << 20
# The python3 of each system. A bare host may lack it, and gets it with the base packages: the plan of
# the first run must not differ from that of the second.
PYTHON_OF = {"debian 12": "3.11", "debian 13": "3.13", "ubuntu 22.04": "3.10", "ubuntu 24.04": "3.12"}

# The podman of each system, which a host without it would install: for the same reason.
PODMAN_OF = {"debian 12": "4.3.1", "debian 13": "5.4.2", "ubuntu 22.04": "3.4.4", "ubuntu 24.04": "4.9.3"}
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
    gpu_trouble: str  # what nvidia-smi said instead of listing cards
    podman: str = ""  # its version, or that which the host would install
    cdi: tuple[str, ...] = ()  # kinds of devices that containers can be given by name


def parse(text: str) -> Facts:
    """Read the lines that `probe.sh` printed. Raises KeyError where one that must be there is not."""
    one: dict[str, str] = {}
    many: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        one[name] = value
        many.setdefault(name, []).append(value)
    gpus, trouble = _gpus(many)
    podman = one.get("podman") or PODMAN_OF.get(one["os"], "")
    return Facts(
        system=one["os"],
        uid=one["uid"],
        init=one["init"],
        clock=int(one["clock"]),
        hardware=Hardware(
            arch=one["arch"],
            python=one["python"] or PYTHON_OF.get(one["os"], ""),
            memory_bytes=int(float(one["memory"])),
            gpus=gpus,
            engine=_engine(one, podman),
        ),
        disks=tuple(_disk(value) for value in many.get("disk", [])),
        listeners=tuple(_listener(value) for value in many.get("listen", [])),
        gpu_trouble=trouble,
        podman=podman,
        cdi=tuple(many.get("cdi", [])),
    )


def _engine(one: dict[str, str], podman: str) -> Engine:
    """Podman, unless the host runs Docker and has no podman."""
    if one.get("docker") == "active" and not one.get("podman"):
        return Engine("docker", quadlets=False)
    return Engine("podman", quadlets=at_least(podman or QUADLETS_SINCE, QUADLETS_SINCE))


def _disk(value: str) -> Disk:
    path, mount, free = value.rsplit(" ", 2)
    return Disk(path, mount, int(float(free)))


def _listener(value: str) -> Listener:
    address, pid, process, unit = value.split(" ", 3)
    host, _, port = address.rpartition(":")
    return Listener(host, int(port), pid, process, unit)


def _gpus(many: dict[str, list[str]]) -> tuple[tuple[Gpu, ...], str]:
    gpus: list[Gpu] = []
    trouble: list[str] = []
    for line in many.get("nvidia", []):
        fields = [field.strip() for field in line.split(",")]
        if len(fields) == 4 and fields[1].isdigit():
            name, memory, driver, capability = fields
            gpus.append(Gpu("nvidia", name, int(memory) * MIB, driver, capability))
        elif line.strip():
            trouble.append(line.strip())
    for line in many.get("amd", []):
        name, _, memory = line.rpartition("|")
        gpus.append(Gpu("amd", name or "AMD", int(memory), "", ""))
    return tuple(gpus), " ".join(trouble)
