"""Why a card is not used although its driver is installed: each known cause by its own words."""

from __future__ import annotations

import pytest

from engine.refusal import Finding
from roles.preflight import checks
from roles.preflight.facts import Facts
from tests.roles.test_preflight import NOW, facts

SMI = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest "
    "NVIDIA driver is installed and running."
)
CARD = "NVIDIA GeForce RTX 3060, 12288, 550.163.01, 8.6"
NONE = "there is no module of NVIDIA's for kernel"
LOG = "/var/lib/dkms/nvidia-current/550.163.01/build/make.log"
RUNS, NEXT = "6.12.57+deb13-amd64", "6.12.63+deb13-amd64"
VERSION = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.163.01  Release Build  (dvs-builder)"
HOST = {
    "pci": "0000:01:00.0 0x2504 nvidia",
    "running": RUNS,
    "kernel": f"{RUNS} built headers",
    "secureboot": "0",
    "nvidia": SMI,
}


def seen(**changes: str) -> Facts:
    return facts(**{**HOST, **changes})


def refusal(**changes: str) -> Finding:
    (finding,) = checks.host_findings(seen(**changes), NOW)
    assert finding.requirement == "an NVIDIA card that its driver can use (nvidia-smi lists it)"
    assert finding.found.startswith(changes.get("nvidia", SMI)), "nvidia-smi's own words come first"
    return finding


@pytest.mark.parametrize(
    ("changes", "why", "remedy"),
    [
        (
            {"pci": "0000:01:00.0 0x2504 nouveau"},
            "nouveau, the kernel's own driver, has 0000:01:00.0",
            "block it (echo 'blacklist nouveau' >/etc/modprobe.d/nouveau.conf; update-initramfs -u), "
            "and reboot",
        ),
        (
            {"kernel": f"{RUNS} - -"},
            f"{NONE} {RUNS}, nor its headers, without which DKMS builds none",
            f"apt-get install linux-headers-{RUNS}; linux-headers-amd64 follows the kernel "
            "(arm64: linux-headers-arm64); then reboot",
        ),
        (
            {
                "kernel": f"{RUNS} - headers",
                "failed": LOG,
            },
            f"{NONE} {RUNS}, although its headers are there",
            f"dkms autoinstall -k {RUNS}; {LOG} says why the last build failed",
        ),
        (
            {"secureboot": "1", "key": "/var/lib/dkms/mok.pub is not enrolled"},
            "Secure Boot is on, and the key that DKMS signs with is not known to it",
            "at the host's console, where it asks at the next boot: mokutil --import /var/lib/dkms/mok.pub, "
            "reboot, choose Enroll MOK; or switch Secure Boot off in the firmware",
        ),
        (
            {"secureboot": "1", "key": "/var/lib/dkms/mok.pub is already enrolled"},
            f"the module is built for {RUNS}, and not loaded",
            "modprobe nvidia says why not; dmesg | grep -i -e nvrm -e nvidia shows more",
        ),
        (
            {
                "nvidia": "Failed to initialize NVML: Driver/library version mismatch",
                "module": VERSION,
                "libcuda": "/usr/lib/x86_64-linux-gnu/libcuda.so.550.163.02",
            },
            "driver 550.163.01 is loaded, and programs find 550.163.02: it was upgraded since the boot",
            "reboot",
        ),
    ],
)
def test_a_card_that_cannot_be_used_is_refused_with_its_cause(
    changes: dict[str, str], why: str, remedy: str
) -> None:
    finding = refusal(**changes)
    assert finding.found.splitlines()[1:] == [f"          {why}"]
    assert finding.remedy == remedy


def test_two_causes_are_reported_in_the_order_of_their_repair() -> None:
    finding = refusal(pci="0000:01:00.0 0x2504 nouveau", kernel=f"{RUNS} - headers")
    assert [line.strip().partition(",")[0] for line in finding.found.splitlines()[1:]] == [
        "nouveau",
        f"there is no module of NVIDIA's for kernel {RUNS}",
    ]
    assert len(finding.remedy.splitlines()) == 2


def test_an_unknown_cause_is_not_guessed() -> None:
    finding = refusal(nvidia="Unable to determine the device handle", module=VERSION)
    assert "(the kernel has loaded driver 550.163.01)" in finding.found
    assert finding.remedy.startswith("reboot, if the driver was upgraded; dkms status and dmesg")


def test_a_kernel_without_a_module_is_reported_before_it_is_booted() -> None:
    it = seen(nvidia=CARD, module=VERSION, kernel=f"{RUNS} built headers\nkernel={NEXT} - headers")
    assert checks.host_findings(it, NOW) == []
    (remark,) = it.hardware.remarks
    assert remark == (
        f"after the next boot no card may be used: {NONE} {NEXT}, although "
        f"its headers are there\ndo        dkms autoinstall -k {NEXT}"
    )
    built = seen(nvidia=CARD, module=VERSION, kernel=f"{RUNS} built headers\nkernel={NEXT} built headers")
    assert built.hardware.remarks == ()


def test_containers_that_are_given_the_former_driver_are_reported() -> None:
    (remark,) = seen(nvidia=CARD, module=VERSION, given="535.309.01").hardware.remarks
    assert remark.startswith("containers are given driver 535.309.01, and 550.163.01 is loaded")
    assert "nvidia-ctk cdi generate" in remark
    assert seen(nvidia=CARD, module=VERSION, given="550.163.01").hardware.remarks == ()


def test_a_host_without_a_card_of_theirs_is_asked_nothing_of_it() -> None:
    it = facts()
    assert (it.nvidia.devices, it.nvidia.kernels) == ((), ())
