"""Which driver a host gets, by card, system and the Ollama that it is to serve; or why it gets none."""

from __future__ import annotations

import pytest

from engine.refusal import Finding
from engine.resources import Absent, File, Packages
from roles.driver.choice import BLOCKED, OPEN, PROPRIETARY, Cards, Choice, choose, declared
from roles.driver.sources import FILE, further
from roles.preflight.module import ENROL, reboot_helps, secure_boot
from schemas.data.systems import systems
from schemas.plan.driver import capability
from tests.roles.plans import INVENTORY, plan
from tests.roles.test_drivers import NEW
from tests.roles.test_module import RUNS, VERSION, seen

T4, P40, RTX_3060, RTX_5090 = 0x1EB8, 0x1B38, 0x2504, 0x2B85


def chosen(
    *devices: int, system: str = "debian 13", inventory: str = NEW, kernel: str = RUNS
) -> Choice | list[Finding]:
    it = plan(inventory)
    assert it.ollama
    return choose(Cards(devices, "amd64", kernel), it.drivers, it.ollama.version, systems()[system])


def refusal(*devices: int, system: str = "debian 13", inventory: str = NEW) -> Finding:
    found = chosen(*devices, system=system, inventory=inventory)
    assert isinstance(found, list)
    (finding,) = found
    return finding


@pytest.mark.parametrize(
    ("device", "known"),
    [
        (0x0FF0, "3.0"),  # Kepler
        (P40, "5.0"),  # Pascal: as Maxwell, for what is asked of a driver
        (0x1DB6, "7.0"),  # V100
        (T4, "7.5"),
        (RTX_3060, "7.5"),
        (0x2330, "7.5"),  # H100
        (RTX_5090, "10.0"),
    ],
)
def test_a_card_without_a_driver_is_known_by_its_pci_device(device: int, known: str) -> None:
    assert capability(plan().drivers.chips, device) == known


def test_a_turing_card_gets_open_modules_from_debian_13_and_no_x() -> None:
    choice = chosen(RTX_3060)
    assert isinstance(choice, Choice)
    assert choice.branch == "550"
    assert choice.packages == (
        *("linux-image-amd64", "linux-headers-amd64", OPEN),
        *("libcuda1", "nvidia-smi", "nvidia-persistenced", "nvidia-modprobe", "firmware-nvidia-gsp"),
    )


@pytest.mark.parametrize(("system", "devices"), [("debian 12", (T4,)), ("debian 13", (T4, 0x1DB6))])
def test_proprietary_modules_come_where_the_open_ones_do_not_drive_every_card(
    system: str, devices: tuple[int, ...]
) -> None:
    choice = chosen(*devices, system=system, inventory=INVENTORY)
    assert isinstance(choice, Choice)
    assert PROPRIETARY in choice.packages


@pytest.mark.parametrize(
    ("kernel", "follows"),
    [
        ("6.12.57+deb13-cloud-amd64", "cloud-amd64"),
        ("6.1.0-28-amd64", "amd64"),
        ("6.1.0-28-rt-amd64", "rt-amd64"),
        ("5.10.0-custom", "amd64"),
    ],
)
def test_headers_follow_the_kernels_that_the_host_has(kernel: str, follows: str) -> None:
    choice = chosen(T4, kernel=kernel)
    assert isinstance(choice, Choice)
    assert choice.packages[:2] == (f"linux-image-{follows}", f"linux-headers-{follows}")


def test_debian_12s_driver_is_refused_for_a_new_ollama_with_what_would_do() -> None:
    finding = refusal(T4, system="debian 12")
    assert finding.requirement == (
        "a driver of Debian 12 for a card of compute capability 7.5 or later with Ollama 0.32.15: "
        "550 or later"
    )
    assert finding.found == "Debian 12 has 535"
    assert finding.remedy == (
        'Debian 13 has 550; write `ollama: {version: "0.24.0"}`; '
        "or install another driver by hand, and write `gpu: {driver: keep}`"
    )
    assert isinstance(chosen(T4, system="debian 12", inventory=INVENTORY), Choice)


def test_a_card_that_no_debian_drives_is_refused() -> None:
    assert refusal(RTX_5090).requirement.endswith("with Ollama 0.32.15: 570 or later")
    assert refusal(P40).requirement.endswith("570 or later, but before 590")
    assert refusal(RTX_5090).remedy.startswith("or install another driver by hand")


def test_a_system_of_which_nobody_has_looked_is_refused() -> None:
    finding = refusal(T4, system="ubuntu 24.04")
    assert finding.requirement.startswith("Debian 12 or Debian 13")
    assert "ubuntu-drivers install --gpgpu" in finding.remedy


def test_secure_boot_without_the_key_is_refused_with_the_way_out() -> None:
    (finding,) = secure_boot(seen(secureboot="1").nvidia)
    assert ENROL in finding.remedy
    assert "console" in finding.remedy
    assert "openssl req" in finding.remedy, "Debian 12's DKMS makes its key only when it builds"
    assert not secure_boot(seen().nvidia)
    assert not secure_boot(seen(secureboot="1", key="/var/lib/dkms/mok.pub is already enrolled").nvidia)


def test_a_reboot_is_asked_for_only_where_it_helps() -> None:
    assert not reboot_helps(seen().nvidia), "built for the kernel that runs, and could not be loaded"
    assert reboot_helps(seen(pci="0000:01:00.0 0x2504 nouveau", kernel=f"{RUNS} built -").nvidia)
    assert reboot_helps(seen(kernel=f"{RUNS} - -\nkernel=6.13.1-amd64 built headers").nvidia)
    assert not reboot_helps(seen(kernel=f"{RUNS} - headers").nvidia)
    assert not reboot_helps(seen(secureboot="1").nvidia)
    assert not reboot_helps(seen(module=VERSION).nvidia)


MIRROR, SECURITY = "http://deb.debian.org/debian", "http://security.debian.org/debian-security"
KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"


def files(**by_name: str) -> list[str]:
    """Files of sources, as the script on the host prints them."""
    found = []
    for name, text in by_name.items():
        found += [f"file=/etc/apt/sources.list.d/{name.replace('_', '.')}"]
        found += [f"line={it}" for it in text.splitlines()]
    return found


DEBIAN = f"""\
# a mirror
Types: deb deb-src
URIs: {MIRROR}
Suites: trixie trixie-updates trixie-backports
Components: main non-free-firmware
Signed-By: {KEY}

Types: deb
URIs: {SECURITY}
Suites: trixie-security
Components: main
"""


def test_the_sources_are_those_of_the_host_with_the_components_that_they_lack() -> None:
    text = further(
        files(debian_sources=DEBIAN, other_list="deb http://example.org/x stable main\n"), "trixie"
    )
    head, _, stanzas = text.partition("\n\n")
    assert head.startswith("# Managed by the Venom provisioner")
    assert stanzas.rstrip().split("\n\n") == [
        *(
            f"Types: deb\nURIs: {MIRROR}\nSuites: {suite}\nComponents: contrib non-free\nSigned-By: {KEY}"
            for suite in ("trixie", "trixie-updates")
        ),
        f"Types: deb\nURIs: {SECURITY}\nSuites: trixie-security\n"
        "Components: contrib non-free non-free-firmware",
    ]


def test_ours_have_the_key_of_the_hosts_own_which_apt_wants_the_same_of_one_place() -> None:
    one_line = f"deb [arch=amd64 signed-by={KEY}] {MIRROR}/ bookworm main # the mirror\n"
    assert further(files(sources_list=one_line), "bookworm").splitlines()[2:] == [
        *("Types: deb", f"URIs: {MIRROR}", "Suites: bookworm"),
        *("Components: contrib non-free non-free-firmware", f"Signed-By: {KEY}"),
    ]
    own = "Types: deb\nURIs: http://m/d\nSuites: trixie\nComponents: main\nSigned-By:\n -----BEGIN\n .\n a1\n"
    assert further(files(debian_sources=own), "trixie").endswith("Signed-By: \n -----BEGIN\n .\n a1\n")


def test_a_host_whose_own_sources_have_it_all_gets_none_of_ours() -> None:
    components = "main contrib non-free non-free-firmware"
    assert further(files(sources_list=f"deb {MIRROR} trixie {components}\n"), "trixie") == ""
    disabled = DEBIAN.partition("\n\n")[0] + "\nEnabled: no\n"
    assert further(files(debian_sources=disabled), "trixie") == ""
    choice = chosen(T4)
    assert isinstance(choice, Choice)
    assert declared(choice, "", {})[0] == Absent(FILE)
    file, packages, blocked = declared(choice, "text\n", {})
    assert isinstance(file, File)
    assert isinstance(blocked, File)
    assert isinstance(packages, Packages)
    assert (file.path, blocked.path) == (FILE, BLOCKED)
    assert "\nblacklist nouveau\n" in blocked.content
