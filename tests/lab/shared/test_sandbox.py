"""The sandboxes as a service finds them: what its user can write, run and reach from inside."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from engine.release import Release
from engine.resources import File
from lab import network
from lab.hosts import Host
from roles.development import deploy as development
from roles.ollama import deploy as ollama
from schemas.model import Development
from tests.lab import visitor
from tests.lab.serving import Serving
from tests.lab.visitor import LIGHT, LLM_OFF
from tests.roles import plans
from tests.roles.test_sandbox import backend_unit

# The goal: `systemd-analyze security` counts from 0 (closed) to 10.
EXPOSED = 2.0
STATES = {
    "venom-backend.service": "/var/lib/venom",
    "venom-ui.service": "/var/cache/private/venom-ui",
    "ollama.service": "/var/lib/ollama",
}
# Each unit has its own, and they go with it.
TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue")
# Runs inside the sandbox of a unit, as its user. Names what it can write, and tries to run what it wrote
# in each folder of that.
_INSIDE = r"""
find / -path /proc -prune -o \( -type d -o -type f \) -writable -printf '%y %p\n' 2>/dev/null |
    while read -r kind path; do
        echo "writes $path"
        if [ "$kind" = f ]; then continue; fi
        probe=$path/venom-lab-probe
        printf '#!/bin/sh\necho ran\n' >"$probe" 2>/dev/null || : >"$probe"
        chmod 0755 "$probe"
        if [ "$("$probe" 2>/dev/null)" = ran ]; then echo "runs $path"; fi
    done
"""
# What is left of it in a unit's temporary folders goes with the unit.
_CLEAR = "find {} -name venom-lab-probe -delete"


@pytest.fixture(scope="module", params=["light", "off"])
def host(request: pytest.FixtureRequest, serving: Serving) -> Host:
    """Debian 12 with profile light, Debian 13 with llm_off."""
    found: Host = getattr(serving, request.param)
    return found


def test_no_unit_that_runs_is_exposed_more_than_the_goal(host: Host) -> None:
    units = LIGHT if host.debian == 12 else LLM_OFF
    analyses = {it: host.run(f"systemd-analyze security --no-pager {it}").stdout for it in units}
    assert {unit: text for unit, text in analyses.items() if _exposure(text) > EXPOSED} == {}


def test_neither_is_one_that_runs_elsewhere(host: Host) -> None:
    work = Development("/home/ada/Venom", "ada")
    release = Release(source="s", venv="v", ui="u", node="n", python="p")
    at_work = replace(plans.plan(), development=work)
    units = {
        "full.service": "\n".join(backend_unit("full")),
        **_units(ollama.resources(plans.plan())),
        **_units(development.backend_resources(at_work, work, release, {}), "development-"),
        **_units(development.ui_resources(at_work, work, release), "development-"),
    }
    assert len(units) == 4
    for name, text in units.items():
        host.put(text, f"/root/units/{name}")
        line = f"systemd-analyze security --no-pager --offline=true /root/units/{name}"
        analysis = host.run(line).stdout
        assert _exposure(analysis) <= EXPOSED, analysis
    host.run("rm -r /root/units")


def test_the_user_of_a_service_writes_nothing_but_its_state_and_runs_nothing_of_that(host: Host) -> None:
    for unit, (_, uid) in visitor.owners(host, LIGHT if host.debian == 12 else LLM_OFF).items():
        inside = _inside(host, unit, uid)
        try:
            lines = host.run([*inside, "sh", "-c", _INSIDE]).stdout.splitlines()
            done = [line.split(" ", 1) for line in lines]
            places = {path for what, path in done if what == "writes"}
            assert {*TEMPORARY, STATES[unit]} <= places, "the probe did not see what it can write"
            others = [path for what, path in done if not _allowed(path, unit)]
            assert others == [], f"{unit} can write there"
            assert [path for what, path in done if what == "runs"] == [], unit
            shared = " ".join(f"{it}/venom-lab-probe" for it in TEMPORARY)
            assert host.run(f"ls {shared} 2>/dev/null", check=False).stdout == "", "it is not the unit's own"
        finally:
            host.run(_CLEAR.format(STATES[unit]))


def test_a_service_sees_no_process_of_another_user(host: Host) -> None:
    for unit, (_, uid) in visitor.owners(host, LLM_OFF).items():
        owners = host.run([*_inside(host, unit, uid), "sh", "-c", "stat -c %u /proc/[0-9]*"]).stdout
        assert set(owners.split()) == {str(uid)}, unit


def test_the_ui_reaches_the_backend_and_nothing_beyond_the_host(host: Host) -> None:
    outside = f"http://{network.GATEWAY}:8080/"
    enter = "echo $$ >/sys/fs/cgroup/system.slice/venom-ui.service/cgroup.procs"
    ask = "curl --silent --output /dev/null --max-time 3 --write-out %{http_code}"
    line = f"{enter}; {ask} http://127.0.0.1:8000/healthz; echo; {ask} {outside}"
    assert host.run(["sh", "-c", line], check=False).stdout.split() == ["200", "000"]
    assert host.run(f"{ask} {outside}").stdout != "000", "the lab's upstream is away"


def test_the_backend_locks_as_python_does_and_measures_the_host(host: Host) -> None:
    # A lock between processes lies in shared memory; memory and load are read there.
    script = (
        "import multiprocessing; multiprocessing.Lock(); [open(it) for it in ('/proc/meminfo', '/proc/stat')]"
    )
    _, uid = visitor.owners(host, LLM_OFF)["venom-backend.service"]
    python = "/opt/venom/current/venv/bin/python"
    inside = _inside(host, "venom-backend.service", uid)
    host.run([*inside, python, "-c", script])


def _exposure(text: str) -> float:
    """What `systemd-analyze security` says at its end."""
    match = re.search(r"Overall exposure level for \S+: (?P<level>[0-9.]+)", text)
    assert match, text
    return float(match["level"])


def _units(resources: object, prefix: str = "") -> dict[str, str]:
    """Name → text of the units among the resources."""
    assert isinstance(resources, list)
    files = [it for it in resources if isinstance(it, File) and it.path.endswith(".service")]
    return {prefix + PurePosixPath(it.path).name: it.content for it in files}


def _inside(host: Host, unit: str, uid: int) -> list[str]:
    """The words that run a command as the unit's user, in what it has of the system."""
    pid = visitor.processes(host, [unit])[unit]
    gid = int(host.run(f"stat -c %g /proc/{pid}").stdout)
    return ["nsenter", f"--target={pid}", "-U", "-m", "-i", f"--setuid={uid}", f"--setgid={gid}", "--"]


def _allowed(path: str, unit: str) -> bool:
    if any(path == it or path.startswith(f"{it}/") for it in (*TEMPORARY, STATES[unit])):
        return True
    # The unit asks the kernel there to be woken when memory runs short: systemd 254 and later.
    return path == f"/sys/fs/cgroup/system.slice/{unit}/memory.pressure"
