"""NVIDIA's kernel module on a host: built for which kernels, let to load, and why no card is used. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.refusal import Finding
from roles.preflight.loaded import UNSEEN, Loaded

NOUVEAU = "nouveau"
# Enrolling a key asks at the console, before any system runs: it cannot be done by SSH.
ENROL = (
    "at the host's console, where it asks at the next boot: mokutil --import /var/lib/dkms/mok.pub, reboot, "
    "choose Enroll MOK; or switch Secure Boot off in the firmware"
)
_INDENT = "\n          "


@dataclass(frozen=True)
class Device:
    """A display device of NVIDIA's on PCI."""

    address: str  # "0000:01:00.0"
    id: int  # of the device, e.g. 0x2504
    driver: str = ""  # the kernel's that has it, e.g. "nouveau"; empty: none


@dataclass(frozen=True)
class Kernel:
    """A kernel that is installed."""

    release: str  # "6.12.57+deb13-amd64"
    built: bool  # whether there is a module of NVIDIA's for it
    headers: bool  # whether one can be built


@dataclass(frozen=True)
class Cause:
    """Why a card is not used, and what to do."""

    why: str
    remedy: str


@dataclass(frozen=True)
class Module:
    """What decides whether NVIDIA's module drives the host's cards."""

    devices: tuple[Device, ...] = ()
    running: str = ""  # release of the kernel that runs
    kernels: tuple[Kernel, ...] = ()
    failed: str = ""  # log of DKMS's last build that failed
    secure_boot: bool = False
    enrolled: bool = False  # whether the firmware is known to know the key that DKMS signs with
    loaded: Loaded = UNSEEN
    given: str = ""  # the driver whose files containers are given, e.g. "550.163.01"


def module(one: Mapping[str, str], many: Mapping[str, Sequence[str]]) -> Module:
    """Read the lines of the probe. Raises ValueError for one of another form."""
    return Module(
        devices=tuple(map(_device, many.get("pci", []))),
        running=one.get("running", ""),
        kernels=tuple(map(_kernel, many.get("kernel", []))),
        failed=one.get("failed", ""),
        secure_boot=one.get("secureboot") == "1",
        enrolled=one.get("key", "").endswith("is already enrolled"),
        loaded=Loaded(one.get("module", ""), one.get("libcuda")),
        given=one.get("given", ""),
    )


def causes(it: Module) -> list[Cause]:
    """The known causes for which a driver that is installed uses no card, in the order of their repair."""
    found = []
    if held := [device.address for device in it.devices if device.driver == NOUVEAU]:
        found.append(
            Cause(
                f"{NOUVEAU}, the kernel's own driver, has {', '.join(held)}",
                f"block it (echo 'blacklist {NOUVEAU}' >/etc/modprobe.d/nouveau.conf; update-initramfs -u), "
                "and reboot",
            )
        )
    if it.loaded.module:
        return [*found, *_mismatch(it.loaded)]
    runs = next((kernel for kernel in it.kernels if kernel.release == it.running), None)
    if runs and not runs.built:
        found.append(_not_built(it, runs))
    elif runs and it.secure_boot and not it.enrolled:
        found.append(Cause("Secure Boot is on, and the key that DKMS signs with is not known to it", ENROL))
    elif runs and not found:
        loads = "modprobe nvidia says why not; dmesg | grep -i -e nvrm -e nvidia shows more"
        found.append(Cause(f"the module is built for {it.running}, and not loaded", loads))
    return found


def secure_boot(it: Module) -> list[Finding]:
    """What keeps a module that is built on the host from being loaded there."""
    if not it.secure_boot or it.enrolled:
        return []
    required = "Secure Boot off, or the key enrolled with which DKMS signs what it builds"
    found = "Secure Boot is on, and the key is not known to be enrolled"
    # As DKMS makes it when it first builds something; Debian 12's has no command for it.
    make = (
        "where that file is missing, first apt-get install dkms mokutil openssl, and openssl req -new -x509 "
        "-nodes -days 36500 -subj '/CN=DKMS' -newkey rsa:2048 -keyout /var/lib/dkms/mok.key "
        "-outform DER -out /var/lib/dkms/mok.pub"
    )
    return [Finding(required, found, f"{ENROL}; {make}")]


def reboot_helps(it: Module) -> bool:
    """Whether a driver that is installed, and uses no card now, may do so after a reboot."""
    if it.secure_boot and not it.enrolled:
        return False
    held = any(device.driver == NOUVEAU for device in it.devices)
    built = [kernel.release for kernel in it.kernels if kernel.built]
    # One that is built for the kernel that runs, nvidia-smi has tried to load.
    return bool(built) and (held or it.running not in built or bool(_mismatch(it.loaded)))


def trouble(why: str, it: Module) -> Finding:
    """The refusal of a host whose card no program can use. `why`: in nvidia-smi's words."""
    known = causes(it)
    return Finding(
        "an NVIDIA card that its driver can use (nvidia-smi lists it)",
        _INDENT.join([why, *(cause.why for cause in known)]),
        _INDENT.join(cause.remedy for cause in known)
        or "reboot, if the driver was upgraded; dkms status and dmesg | grep -i nvrm show more",
    )


def remarks(it: Module) -> list[str]:
    """What will keep cards from being used, although they are now, or keeps containers from them."""
    found = []
    if any(kernel.built for kernel in it.kernels if kernel.release == it.running):
        for kernel in it.kernels:
            if not kernel.built and kernel.release != it.running:
                cause = _not_built(it, kernel)
                found.append(
                    f"after the next boot no card may be used: {cause.why}\ndo        {cause.remedy}"
                )
    if it.given and it.loaded.driver and it.given != it.loaded.driver:
        found.append(
            f"containers are given driver {it.given}, and {it.loaded.driver} is loaded: they may use no card"
            "\ndo        nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml, and restart what runs in one"
        )
    return found


def _mismatch(loaded: Loaded) -> list[Cause]:
    if not loaded.libraries or loaded.libraries == loaded.driver:
        return []
    why = f"driver {loaded.driver} is loaded, and programs find {loaded.libraries}"
    return [Cause(f"{why}: it was upgraded since the boot", "reboot")]


def _not_built(it: Module, kernel: Kernel) -> Cause:
    why = f"there is no module of NVIDIA's for kernel {kernel.release}"
    if not kernel.headers:
        why += ", nor its headers, without which DKMS builds none"
        follows = "linux-headers-amd64 follows the kernel (arm64: linux-headers-arm64)"
        return Cause(why, f"apt-get install linux-headers-{kernel.release}; {follows}; then reboot")
    log = f"; {it.failed} says why the last build failed" if it.failed else ""
    return Cause(f"{why}, although its headers are there", f"dkms autoinstall -k {kernel.release}{log}")


def _device(line: str) -> Device:
    address, _, rest = line.partition(" ")
    number, _, driver = rest.partition(" ")
    return Device(address, int(number, 16) if number else 0, driver)


def _kernel(line: str) -> Kernel:
    release, built, headers = line.split()
    return Kernel(release, built == "built", headers == "headers")


UNKNOWN = Module()
