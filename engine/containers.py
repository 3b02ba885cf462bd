"""Services from container images: how one comes to a host, and the unit that runs it.

The same unit name, ordering and environment as without a container, on the host's own network: so ports
stay on loopback, and what must not look local to the backend does not. Where podman has quadlets, the unit
is one; an older podman, and Docker, get a plain unit around their own `run`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from engine import paths, remote
from engine.component import Need
from engine.fetch import UNPACKED
from engine.jobs import Job
from engine.resources import Absent, Directory, Enabled, File, Packages, Switchable
from engine.templates import render
from schemas.hardware import Engine
from schemas.model import Image

# Names of the host's users and groups count inside, too: podman looks them up in these.
_NAMES = ("/etc/passwd", "/etc/group")
STOP_SECONDS = 15
# In a command of `beside`: the user's numbers, "UID:GID", of the host.
NUMBERS = "{numbers}"


@dataclass(frozen=True)
class Container:
    """A service that runs from an image, read-only but for `writable`, without privileges."""

    unit: str  # e.g. "ollama.service"
    description: str
    image: Image
    user: str  # of the host, by whose numbers it runs
    command: tuple[str, ...]  # after the image's own entry point
    passes: tuple[str, ...]  # variables of the unit's environment that it gets
    writable: tuple[str, ...]  # the host's directories, at the same path inside
    entrypoint: str = ""  # instead of the image's own
    directory: str = ""  # where it starts, instead of the image's own
    environment: Mapping[str, str] = field(default_factory=dict)
    readable: tuple[str, ...] = ()  # the host's files and directories, at the same path inside
    devices: tuple[str, ...] = ()
    health: tuple[str, ...] = ()  # a command inside that fails where it does not serve
    after: tuple[str, ...] = ()  # units that start before it

    @property
    def name(self) -> str:
        """Under which the engine knows it: one of ours, so that it replaces nobody else's."""
        return container_name(self.unit)

    @property
    def nvidia(self) -> bool:
        """Whether it is given cards of NVIDIA's."""
        return any(it.startswith("nvidia.com/") for it in self.devices)


def container_name(unit: str) -> str:
    """The name of the container that a unit runs."""
    stem = unit.removesuffix(".service")
    return stem if stem.startswith("venom-") else f"venom-{stem}"


def packages(engine: Engine | None) -> list[Packages]:
    """What a host needs to pull images and to run them; Docker is only used where it is already."""
    if engine is None:
        return []
    return [Packages(("crun", "podman", "skopeo") if engine.kind == "podman" else ("skopeo",))]


def runner(engine: Engine | None) -> str:
    """What starts a service's process, for `Service.runner`."""
    if engine is None:
        return ""
    return "quadlet" if engine.quadlets else engine.kind


def local_name(image: Image) -> str:
    """The image's name on a host: of a registry that there is not, so that nothing is ever pulled by it."""
    return f"localhost/venom/{image.name}:{image.sha256[:12]}"


def marker(image: Image, engine: Engine) -> str:
    """The file that stands for a whole image on a host."""
    of_docker = "-docker" if engine.kind == "docker" else ""
    return f"{paths.IMAGES}/{image.name}-{image.sha256[:12]}{of_docker}"


def pull_job(image: Image, engine: Engine, arch: str, title: str, program: str = "", home: str = "") -> Job:
    """Makes the image's marker, once the image is whole: of its digest, and of the host's architecture.

    `program`, a path in the image, is taken out of it, to be called on the host as well: it comes to the
    folder `bin` of `home`.
    """
    path = marker(image, engine)
    request = {
        "engine": engine.kind,
        "places": image.places,
        "digest": f"sha256:{image.sha256}",
        "arch": arch,
        "title": title,
        "image": local_name(image),
        "marker": path,
        "cache": f"{paths.CACHE}/image-{image.name}",
        "program": program,
        "home": home,
    }
    arguments = shlex.quote(json.dumps(request))
    text = remote.program("pull_image.py", ["images.py"])
    return Job(
        name=f"image-{image.name}",
        title=title,
        key=path.rpartition("/")[2],
        makes=path,
        # Where root has logged in to registries.
        script=f"export HOME=~root\nexec {remote.PYTHON} - {arguments} <<'PYTHON'\n{text}PYTHON\n",
        needs=(home,) if home else (),
    )


def need_of(image: Image, unless: Mapping[str, str], typical: int) -> Need:
    """That the image is pulled. `typical`: bytes of it packed, which no registry reports before."""
    # Packed and unpacked, side by side in the engine's store.
    room = {"/var": typical * (1 + UNPACKED)}
    return Need(
        f"the image {image.name} {image.version}",
        unless,
        room,
        sources=image.places,
        brings=(f"image of {image.name} {image.version}",),
    )


def resources(container: Container, engine: Engine) -> list[Switchable]:
    """The container's unit on a host."""
    quadlet, unit = _quadlet(container.unit), f"{paths.UNITS}/{container.unit}"
    text = unit_text(container, engine)
    if engine.quadlets:
        # Its [Install] section makes it start with the host.
        return [Directory(paths.QUADLETS), File(quadlet, text), Absent(unit)]
    return [File(unit, text), Absent(quadlet), Enabled(container.unit)]


def absent(unit: str) -> list[Switchable]:
    """What a host has of a unit by container only, where it runs without or not at all."""
    return [Absent(_quadlet(unit))]


def _quadlet(unit: str) -> str:
    return f"{paths.QUADLETS}/{unit.removesuffix('.service')}.container"


def unit_text(container: Container, engine: Engine) -> str:
    """The quadlet, or the plain unit."""
    values = {"it": container, "image": local_name(container.image), "stop": STOP_SECONDS}
    if engine.quadlets:
        return render(__file__, "container.j2", **values, arguments=_beyond_keys(container))
    name = "podman.service.j2" if engine.kind == "podman" else "docker.service.j2"
    line = shlex.join([*_IN_UNIT[engine.kind], *run_arguments(container, engine)])
    return render(__file__, name, **values, line=line.replace("%", "%%"))


# How a plain unit runs it: so that systemd knows the container's end, and its journal has what it writes.
_IN_UNIT = {
    "podman": (
        *("--rm", "--replace", "--detach", "--cgroups=split", "--sdnotify=conmon"),
        "--log-driver=passthrough",
    ),
    "docker": ("--rm", "--log-driver=none"),
}


def run_arguments(container: Container, engine: Engine) -> list[str]:
    """The arguments of the engine's `run`, the image and its command at the end."""
    podman = engine.kind == "podman"
    # Docker's containers are in no unit's control group: the label shows whose they are (probe.sh).
    identity = (
        [f"--user={container.user}", *_volumes(_NAMES, "ro")]
        if podman
        else [f"--label=io.venom.unit={container.unit}"]
    )
    return [
        *(f"--name={container.name}", "--network=host", "--read-only", "--cap-drop=all"),
        "--security-opt=no-new-privileges",
        *identity,
        *_volumes(container.readable, "ro"),
        *_volumes(container.writable, "rw"),
        *(f"--device={it}" for it in container.devices),
        *(f"--env={name}={value}" for name, value in container.environment.items()),
        *([f"--entrypoint={container.entrypoint}"] if container.entrypoint else []),
        *(_beyond_keys(container) if podman else _common(container)),
        local_name(container.image),
        *container.command,
    ]


def beside(container: Container, engine: Engine) -> list[str]:
    """The command line of one more container of the same image, for a while.

    Who starts it ends it by a signal, which goes through to what is inside. One that was left by a cut of
    power makes room for the next.
    """
    # Docker looks names up in the image: who starts it puts the host's numbers here.
    ends = ["--rm", "--replace"] if engine.kind == "podman" else ["--rm", f"--user={NUMBERS}"]
    return [engine.kind, "run", *ends, *run_arguments(container, engine)]


def _common(container: Container) -> list[str]:
    health = [f"--health-cmd={shlex.join(container.health)}"] if container.health else []
    return [
        *([f"--workdir={container.directory}"] if container.directory else []),
        *("--pull=never", "--tmpfs=/tmp:rw,nosuid,nodev,noexec,mode=1777", f"--stop-timeout={STOP_SECONDS}"),
        *(f"--env={name}" for name in container.passes),
        *health,
    ]


def _beyond_keys(container: Container) -> list[str]:
    """What podman is given that a quadlet has no key for in every podman that has quadlets."""
    return ["--read-only-tmpfs=false", *_common(container)]


def _volumes(sources: tuple[str, ...], mode: str) -> list[str]:
    return [f"--volume={it}:{it}:{mode}" for it in sources]


def card_devices(vendors: tuple[str, ...]) -> tuple[str, ...]:
    """What a container is given to reach the host's cards: NVIDIA's by CDI, AMD's as devices."""
    known = {"nvidia": ("nvidia.com/gpu=all",), "amd": ("/dev/kfd", "/dev/dri")}
    return tuple(device for vendor in vendors for device in known.get(vendor, ()))
