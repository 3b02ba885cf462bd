"""What must be true of a host before its first change. Pure: facts, plan and look in, findings out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from packaging.version import InvalidVersion, Version

from engine import paths
from engine.observation import Seen
from engine.refusal import Finding
from engine.release import ImageRelease, Release
from roles.preflight import containers
from roles.preflight.facts import Facts, Listener
from schemas.model import Artifact, HostPlan, Image

SUPPORTED = {
    "debian 12": "Debian 12",
    "debian 13": "Debian 13",
    "ubuntu 22.04": "Ubuntu 22.04",
    "ubuntu 24.04": "Ubuntu 24.04",
}
ARCHITECTURES = ("amd64", "arm64")
GB = 10**9

# Bytes on disk while it is being made and afterwards, measured with Venom 1.9.0 (facts): the virtual
# environment 592 MB and its downloads; node_modules 881 MB, npm's cache and the build beside it.
PACKAGES_BYTES = {"/usr": int(0.1 * GB), "/var": int(0.4 * GB)}
VENV_BYTES = {paths.OPT: int(0.9 * GB), paths.BUILD: int(0.4 * GB)}
UI_BYTES = {paths.OPT: int(0.4 * GB), paths.BUILD: int(2.0 * GB)}
# An archive of Ollama unpacks to about three times its size.
UNPACKED = 3
# What upstream does not state the size of.
TYPICAL_BYTES = {
    **{"python": int(0.03 * GB), "node": int(0.06 * GB), "ollama": int(1.4 * GB)},
    # Venom's images, packed.
    **{"backend": int(0.35 * GB), "frontend": int(0.15 * GB)},
}

# Resident memory (facts): backend up to 314 MB, UI 95 MB; the UI build at most 2 GB, beside the rest.
# `next dev` takes 1.5 GB with a first page of the real Venom.
SERVING_BYTES = int(0.6 * GB)
BUILD_BYTES = int(2.0 * GB)
DEVELOPMENT_BYTES = int(1.6 * GB)

CLOCK_SECONDS = 300

OUR_UNITS = ("venom-backend.service", "venom-ui.service", "ollama.service", "venom-firewall.service")


def host_findings(facts: Facts, now: float) -> list[Finding]:
    """What is wrong with the host whatever its plan: system, architecture, rights, init, clock.

    `now` is the time on this machine, in seconds since 1970.
    """
    found = []
    if facts.system not in SUPPORTED:
        found.append(
            Finding(
                f"one of {', '.join(SUPPORTED.values())}",
                facts.system,
                "install one of these, or take the host out of the inventory",
            )
        )
    if facts.hardware.arch not in ARCHITECTURES:
        found.append(Finding("architecture amd64 or arm64", facts.hardware.arch, ""))
    if facts.uid != "0":
        found.append(
            Finding(
                "root on the host",
                f"user id {facts.uid}",
                "set `ssh.user: root`, or `ssh.sudo: true` with a user who may sudo without a password",
            )
        )
    if facts.init != "systemd":
        found.append(Finding("systemd as the init", facts.init or "unknown", "use a host that boots with it"))
    if abs(facts.clock - now) > CLOCK_SECONDS:
        found.append(
            Finding(
                f"a clock that differs from this machine's by at most {CLOCK_SECONDS // 60} minutes: "
                "certificates are valid for a time",
                f"{_utc(facts.clock)}; here it is {_utc(now)}",
                # A bare host has no service of time, without which timedatectl refuses the first.
                "set the one that is wrong: timedatectl set-ntp true; on a host without a time service: "
                f"date --utc --set='{_utc(now).removesuffix(' UTC')}'",
            )
        )
    if facts.gpu_trouble:
        found.append(
            Finding(
                "an NVIDIA card that its driver can use (nvidia-smi lists it)",
                facts.gpu_trouble,
                "reboot, if the driver was upgraded; dkms status and dmesg | grep -i nvrm tell more",
            )
        )
    return found


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


@dataclass(frozen=True)
class Coming:
    """What is not on the host yet and will come in this run."""

    packages: bool
    environment: bool
    ui: bool
    artifacts: tuple[Artifact, ...]
    images: tuple[Image, ...]
    weights: int  # bytes

    @classmethod
    def of(
        cls, plan: HostPlan, release: Release | ImageRelease, seen: Seen, weights_there: bool, ollama: str
    ) -> Coming:
        """What `plan` needs beyond what was seen. `ollama` is where that server's files belong."""
        artifacts = []
        made = None if isinstance(release, ImageRelease) else release
        if made and plan.python.artifact and not seen.there(made.venv_path):
            artifacts.append(plan.python.artifact)
        if made and not seen.there(made.ui_path) and not seen.there(made.node_path):
            artifacts.append(plan.node.artifact)
        images = release.missing(seen) if isinstance(release, ImageRelease) else []
        if plan.ollama and not seen.there(ollama):
            artifacts += [plan.ollama.artifact] if plan.ollama.artifact else []
            images += [plan.ollama.image] if plan.ollama.image else []
        return cls(
            packages=not seen.there(paths.OPT),
            environment=made is not None and not seen.there(made.venv_path),
            ui=made is not None and not seen.there(made.ui_path),
            artifacts=tuple(artifacts),
            images=tuple(images),
            weights=plan.model.size if plan.model and not weights_there else 0,
        )

    def disk(self) -> dict[str, int]:
        """Bytes that are needed under each directory while it comes."""
        need: Counter[str] = Counter()
        parts = (
            (self.packages, PACKAGES_BYTES),
            (self.environment, VENV_BYTES),
            (self.ui, UI_BYTES),
        )
        for coming, size in parts:
            need.update(size if coming else {})
        for artifact in self.artifacts:
            archive = artifact.size or TYPICAL_BYTES[artifact.name]
            need[paths.CACHE] += archive
            need[paths.OLLAMAS if artifact.name == "ollama" else paths.OPT] += archive * UNPACKED
        for image in self.images:
            # Packed and unpacked, side by side in the engine's store.
            need["/var"] += TYPICAL_BYTES[image.name] * (1 + UNPACKED)
        need[paths.OLLAMA_STATE] += self.weights
        return dict(need)


def plan_findings(plan: HostPlan, facts: Facts, coming: Coming) -> list[Finding]:
    """What stands between this host and this plan: ports, disk, memory, driver."""
    return [
        *_ports(plan, facts),
        *_disk(facts, coming),
        *_memory(plan, facts, coming),
        *_driver(plan, facts),
        *containers.findings(plan, facts),
    ]


def installing(facts: Facts, missing: Sequence[str]) -> list[Finding]:
    """What keeps the host from installing the packages that it lacks."""
    if not (missing and facts.noexec):
        return []
    return [
        Finding(
            f"{facts.noexec} on a file system that is not mounted noexec, to install {', '.join(missing)}",
            "it is mounted noexec: dpkg cannot run the scripts of packages there",
            "mount -o remount,exec /var, for the first run at least; or let apt do so (DPkg::Pre-Invoke)",
        )
    ]


def _ports(plan: HostPlan, facts: Facts) -> list[Finding]:
    wanted = {"backend": ("ports", plan.backend.port), "ui": ("ports", plan.ui.port)}
    if plan.ollama:
        wanted["ollama"] = ("ports", plan.ollama.port)
    wanted["the door"] = ("door.port", plan.door.port)
    if plan.door.ollama:
        wanted["clients of Ollama"] = ("door.ollama.port", plan.door.ollama.port)
    found = []
    for service, (setting, port) in wanted.items():
        # What other sites of nginx have is the door's own question.
        ours = OUR_UNITS if setting == "ports" else (paths.NGINX,)
        for owner in {_who(it): it for it in facts.listeners if it.port == port}.values():
            if owner.unit in ours:
                continue
            stop = containers.how_to_stop(owner)
            found.append(
                Finding(
                    f"port {port} free for {service}",
                    f"held by {_who(owner)}",
                    f"{stop}, or give {service} another port in the inventory's `{setting}`",
                )
            )
    return found


def _who(owner: Listener) -> str:
    if container := containers.of_listener(owner):
        return f"{owner.process} (process {owner.pid}, {container})"
    unit = f", unit {owner.unit}" if owner.unit not in {"", "?"} else ""
    return f"{owner.process} (process {owner.pid}{unit})"


def _disk(facts: Facts, coming: Coming) -> list[Finding]:
    # Two of our directories on one file system share what is free there.
    need: dict[str, int] = {}
    free: dict[str, int] = {}
    what: dict[str, list[str]] = {}
    wanted = coming.disk()
    for disk in facts.disks:
        need[disk.mount] = need.get(disk.mount, 0) + wanted.get(disk.path, 0)
        free[disk.mount] = disk.free
        what.setdefault(disk.mount, []).extend([disk.path] if disk.path in wanted else [])
    return [
        Finding(
            f"{need[mount] / GB:.1f} GB free on {mount} for what will come",
            f"{free[mount] / GB:.1f} GB",
            f"free some, or put a larger file system there; on it: {', '.join(what[mount])}",
        )
        for mount in need
        if need[mount] > free[mount]
    ]


def _memory(plan: HostPlan, facts: Facts, coming: Coming) -> list[Finding]:
    more, what = 0, "serving"
    if plan.development:
        more, what = DEVELOPMENT_BYTES, "serving from a tree (next dev)"
    if coming.ui:
        more, what = BUILD_BYTES, "serving, and building the UI"
    need = SERVING_BYTES + more
    if need <= facts.hardware.memory_bytes:
        return []
    return [
        Finding(
            f"{need / GB:.1f} GB of memory for {what}",
            f"{facts.hardware.memory_bytes / GB:.1f} GB",
            "use a host with more memory",
        )
    ]


def _driver(plan: HostPlan, facts: Facts) -> list[Finding]:
    if plan.ollama is None:
        return []
    found = []
    for gpu in facts.hardware.gpus:
        if gpu.vendor != "nvidia" or not _older(gpu.driver, plan.ollama.min_driver):
            continue
        found.append(
            Finding(
                f"NVIDIA driver {plan.ollama.min_driver} or later for Ollama {plan.ollama.version}",
                f"{gpu.driver} ({gpu.name})",
                "install a newer driver, or choose an older `ollama.version` in the inventory",
            )
        )
    return found


def _older(version: str, minimum: str) -> bool:
    try:
        return Version(version) < Version(minimum)
    except InvalidVersion:
        return False
