"""The preflight reads a host's own words, and lists everything that is wrong with it at once."""

from __future__ import annotations

import dataclasses

import pytest

from roles.common.look import Seen
from roles.common.proxy import Way
from roles.preflight import checks, reach
from roles.preflight.checks import Coming
from roles.preflight.facts import Facts, parse
from roles.preflight.reach import Place
from schemas.model import Artifact, HostPlan
from tests.roles.plans import plan

PROBE = """\
os=debian 12
arch=amd64
uid=0
init=systemd
clock=1795305600
python=3.11
memory=25189052416
disk=/opt / 80000000000
disk=/var / 80000000000
disk=/etc / 80000000000
listen=127.0.0.1:8000 4242 python3 jupyter.service
listen=0.0.0.0:22 100 sshd ssh.service
listen=[::]:3000 4300 node venom-ui.service
nvidia=NVIDIA GeForce RTX 3060, 12288, 550.163.01, 8.6
amd=|17163091968
"""

NOW = 1795305600.0  # 2026-11-22 00:00 UTC
SEEN = Seen()
NOTHING = Coming(packages=False, environment=False, ui=False, artifacts=(), images=(), weights=0)


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
        ({"nvidia": "NVIDIA-SMI has failed because it couldn't communicate"}, "driver"),
    ],
)
def test_a_host_that_is_none_of_ours_is_told_what_is_required(changed: dict[str, str], required: str) -> None:
    (finding,) = checks.host_findings(facts(**changed), NOW)
    assert required in finding.requirement
    assert next(iter(changed.values())).split()[0] in finding.found


def test_a_clock_that_is_off_is_told_with_both_times() -> None:
    assert checks.host_findings(facts(clock=str(int(NOW) + 290)), NOW) == []
    for years, then in ((1, "2027-11-22"), (-3, "2023-11-23")):
        (finding,) = checks.host_findings(facts(clock=str(int(NOW) + years * 365 * 86400)), NOW)
        assert "a clock" in finding.requirement
        assert finding.found == f"{then} 00:00 UTC; here it is 2026-11-22 00:00 UTC"
        assert "timedatectl" in finding.remedy
        assert "date --utc --set='2026-11-22 00:00'" in finding.remedy


def test_everything_that_is_wrong_is_listed_at_once() -> None:
    assert len(checks.host_findings(facts(os="arch linux", uid="1000", init="openrc"), NOW)) == 3


def found(host_plan: HostPlan, coming: Coming = NOTHING, **changes: str) -> list[str]:
    return [str(it) for it in checks.plan_findings(host_plan, facts(**changes), coming, SEEN)]


def test_a_foreign_process_on_our_port_is_named_and_our_own_is_not() -> None:
    (port,) = found(plan())
    assert "port 8000 free for backend" in port
    assert "python3 (process 4242, unit jupyter.service)" in port


def test_directories_on_one_file_system_share_what_is_free_there() -> None:
    artifact = Artifact("ollama", "1", "0" * 64, 1_000_000_000, ("https://example.org/o.tar",))
    coming = dataclasses.replace(NOTHING, artifacts=(artifact,), weights=2_000_000_000)
    nobody = "127.0.0.1:1 1 a b"
    short = found(plan(), coming, listen=nobody, disk="/opt / 5900000000\ndisk=/var / 5900000000")
    assert ["6.0 GB free on /" in it for it in short] == [True]
    enough = found(plan(), coming, listen=nobody, disk="/opt / 6100000000\ndisk=/var / 6100000000")
    assert enough == []


def test_an_ollama_that_somebody_else_installed_is_not_taken_over() -> None:
    file = "/etc/systemd/system/ollama.service"
    alone = facts(listen="127.0.0.1:1 1 a b")
    theirs = Seen(units={"ollama.service": {"FragmentPath": file}}, paths={file: {"kind": "file"}})
    (finding,) = checks.plan_findings(plan(), alone, NOTHING, theirs)
    assert finding.found == file
    ours = Seen(units=theirs.units, paths={file: {"kind": "file", "ours": "yes"}})
    assert checks.plan_findings(plan(), alone, NOTHING, ours) == []


def test_an_old_driver_is_refused_for_the_ollama_that_needs_a_newer_one() -> None:
    old = "NVIDIA A, 12288, 525.85.12, 8.6"
    assert any("driver 531" in it and "525.85.12" in it for it in found(plan(), nvidia=old))


def test_a_build_needs_more_memory_than_serving() -> None:
    building = dataclasses.replace(NOTHING, ui=True)
    assert any("building the UI" in it for it in found(plan(), building, memory="1000000000"))
    assert not any("memory" in it for it in found(plan(), memory="1000000000"))


def test_a_thing_is_unreachable_only_if_none_of_its_places_answers() -> None:
    mirror, upstream = Place("mirror", 80, "http://mirror/node"), Place("nodejs.org", 443)
    wanted = {"node 22": [mirror, upstream]}
    assert reach.findings(wanted, Way(), "nodejs.org 443\n") == []
    (finding,) = reach.findings(wanted, Way(), "nodejs.org 443\nmirror 80\n")
    assert "mirror:80, nodejs.org:443" in finding.found
