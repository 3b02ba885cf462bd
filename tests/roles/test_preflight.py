"""The preflight reads a host's own words, and lists everything that is wrong with it at once."""

from __future__ import annotations

import pytest

from engine.component import Need
from engine.fetch import need_of
from engine.proxy import Way
from roles.preflight import checks, reach
from roles.preflight.facts import Facts, parse
from roles.preflight.reach import Place
from schemas.model import Artifact, HostPlan
from tests.roles.plans import components_of, plan

PROBE = """\
os=debian 12
arch=amd64
uid=0
init=systemd
clock=1795305600
python=3.11
memory=25189052416
disk=/opt/venom / 80000000000
disk=/opt/ollama / 80000000000
disk=/var/lib/ollama / 80000000000
disk=/var/cache/venom / 80000000000
disk=/var/cache/venom-build / 80000000000
disk=/usr / 80000000000
disk=/var / 80000000000
listen=127.0.0.1:8000 4242 python3 jupyter.service
listen=0.0.0.0:22 100 sshd ssh.service
listen=[::]:3000 4300 node venom-ui.service
nvidia=NVIDIA GeForce RTX 3060, 12288, 550.163.01, 8.6
amd=|17163091968
"""

NOW = 1795305600.0  # 2026-11-22 00:00 UTC


def facts(**changes: str) -> Facts:
    lines = [line for line in PROBE.splitlines() if line.partition("=")[0] not in changes]
    return parse("\n".join([*lines, *(f"{name}={value}" for name, value in changes.items())]))


def test_the_probe_is_read_with_cards_of_both_makers() -> None:
    read = facts()
    assert read.system == "debian 12"
    assert read.hardware.python == "3.11"
    assert [(gpu.vendor, gpu.vram_bytes) for gpu in read.hardware.gpus] == [
        ("nvidia", 12288 << 20),
        ("amd", 17163091968),
    ]
    assert checks.host_findings(read, NOW) == []


def test_a_bare_host_has_the_python_that_it_will_get() -> None:
    # Else its second run would plan with another interpreter than its first.
    assert facts(python="").hardware.python == "3.11"
    assert facts(python="", os="ubuntu 24.04").hardware.python == "3.12"


@pytest.mark.parametrize(
    ("changed", "required"),
    [
        ({"os": "fedora 41"}, "Debian 12"),
        ({"arch": "riscv64"}, "amd64 or arm64"),
        ({"uid": "1000"}, "root"),
        ({"init": "busybox"}, "systemd"),
        ({"nvidia": "Failed to initialize NVML: Driver/library version mismatch"}, "driver"),
    ],
)
def test_a_host_that_is_none_of_ours_is_refused_with_what_is_required(
    changed: dict[str, str], required: str
) -> None:
    (finding,) = checks.host_findings(facts(**changed), NOW)
    assert required in finding.requirement
    assert next(iter(changed.values())).split()[0] in finding.found


def test_a_clock_that_is_off_is_reported_with_both_times() -> None:
    assert checks.host_findings(facts(clock=str(int(NOW) + 290)), NOW) == []
    for years, then in ((1, "2027-11-22"), (-3, "2023-11-23")):
        (finding,) = checks.host_findings(facts(clock=str(int(NOW) + years * 365 * 86400)), NOW)
        assert "a clock" in finding.requirement
        assert finding.found == f"{then} 00:00 UTC; here it is 2026-11-22 00:00 UTC"
        assert "timedatectl" in finding.remedy
        assert "date --utc --set='2026-11-22 00:00'" in finding.remedy
    # A host without a battery begins in the past.
    (finding,) = checks.host_findings(facts(clock="3"), NOW)
    assert finding.found.startswith("1970-01-01 00:00 UTC; here it is 2026")


def test_everything_that_is_wrong_is_listed_at_once() -> None:
    assert len(checks.host_findings(facts(os="arch linux", uid="1000", init="openrc"), NOW)) == 3


def found(host_plan: HostPlan, *coming: Need, **changes: str) -> list[str]:
    listed = components_of(host_plan)
    return [str(it) for it in checks.plan_findings(host_plan, listed, facts(**changes), coming)]


def test_a_foreign_process_on_our_port_is_named_and_our_own_is_not() -> None:
    (port,) = found(plan())
    assert "port 8000 free for backend" in port
    assert "python3 (process 4242, unit jupyter.service)" in port


def test_the_port_of_a_unit_that_has_to_go_is_free() -> None:
    store = "store: {host: one, allow_from: [192.0.2.0/24], peers: true}"
    passes = plan(f"hosts:\n  two: {{address: 192.0.2.2, {store}}}\n  one: {{address: 192.0.2.1}}\n")
    for unit, refused in (("venom-store.service", False), ("other.service", True)):
        listed = found(passes, listen=f"0.0.0.0:8800 50 nginx {unit}")
        assert any("port 8800 free for what is passed on" in it for it in listed) == refused


def test_directories_on_one_file_system_share_what_is_free_there() -> None:
    artifact = Artifact("ollama", "1", "0" * 64, 1_000_000_000, ("https://example.org/o.tar",))
    server = need_of(artifact, {}, "/opt/ollama", typical=0)
    coming = (server, Need("weights", disk={"/var/lib/ollama": 2_000_000_000}))
    nobody = "127.0.0.1:1 1 a b"
    places = ("/opt/ollama", "/var/cache/venom", "/var/lib/ollama", "/usr")

    def on(free: int, weights: str = "") -> list[str]:
        disks = [f"{it} {weights if weights and 'lib' in it else f'/ {free}'}" for it in places]
        return found(plan(), *coming, listen=nobody, disk="\ndisk=".join(disks))

    (short,) = on(5_900_000_000)
    assert "6.0 GB free on / for what this run adds" in short
    assert short.endswith("on it: /opt/ollama, /var/cache/venom, /var/lib/ollama")
    assert on(6_100_000_000) == []
    # Weights on a disk of their own take nothing from the others.
    assert on(4_100_000_000, weights="/mnt/big disk 2100000000") == []
    (short,) = on(4_100_000_000, weights="/mnt/big disk 1900000000")
    assert "2.0 GB free on /mnt/big disk for what this run adds" in short


def test_packages_that_cannot_be_installed_are_reported_before_the_first_change() -> None:
    noexec = facts(noexec="/var/lib/dpkg")
    (finding,) = checks.installing(noexec, ["git", "nginx"])
    assert "to install git, nginx" in finding.requirement
    assert "mount -o remount,exec /var" in finding.remedy
    assert checks.installing(noexec, []) == []
    assert checks.installing(facts(), ["git"]) == []


def test_an_old_driver_is_refused_for_the_ollama_that_needs_a_newer_one() -> None:
    old = "NVIDIA A, 12288, 525.85.12, 8.6"
    assert any("driver 531" in it and "525.85.12" in it for it in found(plan(), nvidia=old))


def test_a_build_needs_more_memory_than_serving() -> None:
    (ui,) = [it for it in components_of(plan()) if it.name == "ui"]
    assert any("building the UI" in it for it in found(plan(), *ui.needs, memory="1000000000"))
    assert not any("memory" in it for it in found(plan(), memory="1000000000"))


def test_a_thing_is_unreachable_only_if_none_of_its_places_answers() -> None:
    mirror, upstream = Place("mirror", 80, "http://mirror/node"), Place("nodejs.org", 443)
    wanted = {"node 22": [mirror, upstream]}
    assert reach.findings(wanted, Way(), "nodejs.org 443\n") == []
    (finding,) = reach.findings(wanted, Way(), "nodejs.org 443\nmirror 80\n")
    assert "mirror:80, nodejs.org:443" in finding.found
