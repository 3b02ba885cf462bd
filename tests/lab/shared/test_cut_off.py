"""A host that loses its power in the middle of long work, a run that is killed: the next run completes it.

One bare host goes through all of it, each time further: while Debian's packages are installed, during a
download, while an archive is unpacked, during the pull of the weights, during the UI's build. Then the run
is killed instead, and the build goes on. Then the host serves, and loses the job that switches it to
something else.
"""

from __future__ import annotations

import subprocess
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.hosts import Host
from tests.lab import comparison, provisioning, upstream_faults, visitor
from tests.lab.conftest import LabHost
from tests.lab.provisioning import Result, until
from tests.lab.serving import NAMED, Serving
from tests.lab.visitor import BACKEND, UI

BLOBS = "/var/lib/ollama/models/blobs/*"


@dataclass(frozen=True)
class Cut:
    """A host, how the runs ended from under which it was taken, and how it was when one was killed."""

    host: Host
    runs: dict[str, Result]
    at_the_kill: list[str]  # steps of the UI's build, with their times
    later: list[str]  # the same, before the next run
    completed: Result


@pytest.fixture(scope="module")
def cut(upstream: None, module_host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Cut:
    """A bare host that loses its power five times, and then the run; the one after that is left alone."""
    folder = tmp_path_factory.mktemp("cut")
    with provisioning.no_ui_stored():
        return _cut(folder, module_host(12))


def _cut(folder: Path, host: Host) -> Cut:
    runs = {}
    slow = {"files": ["http://10.77.0.1:8080/_fault/slow"], "ollama": "10.77.0.1:5000"}
    # Slowed down, because a pull over the bridge is over before it can be seen, while others wait for Node.
    with upstream_faults.faults() as faults:
        faults.add(host, "slow", "/blobs/")
        with _running(folder, host, mirrors=slow) as run:
            until(lambda: host.run("pgrep -f '[d]pkg .*--(unpack|configure)'", check=False).stdout != "")
            runs["packages"] = _power_cut(host, run, folder)
        with _running(folder, host, mirrors=slow) as run:
            until(
                lambda: "Node" in _step(host, "ui") and _size(host, "/var/cache/venom/node*.part") > 1 << 20
            )
            runs["download"] = _power_cut(host, run, folder)
        with _running(folder, host) as run:
            until(lambda: "Node" in _step(host, "ui") and _size(host, "/opt/venom/node") > 20 << 20)
            runs["unpack"] = _power_cut(host, run, folder)
        with _running(folder, host) as run:
            until(lambda: "pull" in _step(host, "weights") and _size(host, BLOBS) > 0)
            runs["pull"] = _power_cut(host, run, folder)
    with _running(folder, host) as run:
        until(lambda: _step(host, "ui") == "npm ci" and _size(host, "/var/cache/venom-build/ui") > 0)
        runs["build"] = _power_cut(host, run, folder)
    with _running(folder, host) as run:
        until(lambda: _step(host, "ui") == "npm ci")
        assert run.poll() is None, (folder / "log").read_text()
    at_the_kill = _steps(host)
    until(lambda: len(_steps(host)) > len(at_the_kill), 120)
    later = _steps(host)
    # What a run for another version left, which no run will ask for again.
    host.put("a beginning", "/var/cache/venom/another.tar.zst.part")
    return Cut(host, runs, at_the_kill, later, _run(folder, host))


@pytest.mark.parametrize("what", ["packages", "download", "unpack", "pull", "build"])
def test_a_run_whose_host_loses_its_power_says_so_and_what_to_do(cut: Cut, what: str) -> None:
    result = cut.runs[what]
    assert result.status == 1
    assert result.seconds < 30, "the host was back after a few seconds"
    ending = result.endings[cut.host.name]
    assert "required  the connection to the host" in ending
    assert "do        check that the host is up, and run again" in ending
    assert "Traceback" not in result.output


def test_the_build_goes_on_while_nobody_watches_it(cut: Cut) -> None:
    assert cut.at_the_kill[-1].endswith(" npm ci")
    assert cut.later[: len(cut.at_the_kill)] == cut.at_the_kill
    assert len(cut.later) > len(cut.at_the_kill)


def test_the_next_run_takes_the_build_up_instead_of_beginning_anew(cut: Cut) -> None:
    cut.completed.check()
    steps = _steps(cut.host)
    assert steps[: len(cut.later)] == cut.later
    assert steps[-1].endswith(" done")


def test_the_next_run_completes_it(cut: Cut, serving: Serving) -> None:
    assert "serves" in cut.completed.check().endings[cut.host.name]
    for url in (f"{BACKEND}/healthz", f"{UI}/"):
        assert visitor.fetch(cut.host, url).status == 200
    assert visitor.chat(cut.host, "Still there?").status == "COMPLETED"
    assert visitor.parts(cut.host) + visitor.jobs(cut.host) == ""
    described = comparison.describe(cut.host, left_out=NAMED)
    assert comparison.differences(serving.described, described) == []


def test_the_run_after_that_changes_nothing(cut: Cut, tmp_path: Path) -> None:
    assert _run(tmp_path, cut.host).check().changed_operations == []


def test_a_switch_that_is_killed_is_completed_by_the_next_run(cut: Cut, tmp_path: Path) -> None:
    host = cut.host
    before = visitor.receipt(host)["generation"]
    host.run("rm -r /opt/venom/jobs/activate")
    with _running(tmp_path, host, profile="llm_off") as run:
        host.run(
            "until grep -qs 'wait for' /opt/venom/jobs/activate/steps; do sleep 0.02; done;"
            "systemctl kill --signal=KILL venom-job-activate",
            timeout=180,
        )
        killed = _ended(run, tmp_path)
    assert killed.status == 1
    assert "Switch" in killed.endings[host.name]
    assert visitor.receipt(host)["generation"] == before
    _run(tmp_path, host, profile="llm_off").check()
    assert visitor.receipt(host)["generation"] != before
    for url in (f"{BACKEND}/healthz", f"{UI}/"):
        assert visitor.fetch(host, url).status == 200
    assert visitor.parts(host) + visitor.jobs(host) == ""
    assert _run(tmp_path, host, profile="llm_off").check().changed_operations == []


def _running(folder: Path, host: Host, **settings: Any) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """A run that goes on while the test does something to its host."""
    return provisioning.running(provisioning.inventory(folder, provisioning.fleet_of(host, **settings)))


def _power_cut(host: Host, run: subprocess.Popen[bytes], folder: Path) -> Result:
    """Take the host's power and give it back; returns how the run ended after that."""
    host.stop(hard=True)
    host.start()
    return _ended(run, folder)


def _ended(run: subprocess.Popen[bytes], folder: Path) -> Result:
    begun = time.monotonic()
    try:
        status = run.wait(timeout=180)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"the run hangs:\n{(folder / 'log').read_text()}") from None
    return Result(status, (folder / "log").read_text(), time.monotonic() - begun)


def _run(folder: Path, host: Host, **settings: Any) -> Result:
    return provisioning.run(provisioning.inventory(folder, provisioning.fleet_of(host, **settings)))


def _steps(host: Host) -> list[str]:
    """TIME STEP of the UI's build, as far as it has come."""
    return host.run("cat /opt/venom/jobs/ui/steps", check=False).stdout.splitlines()


def _step(host: Host, job: str) -> str:
    """What the job is doing; nothing where it does not run: its record may be that of the run before."""
    line = f"systemctl is-active --quiet venom-job-{job} && tail -n 1 /opt/venom/jobs/{job}/steps"
    return host.run(line, check=False).stdout.partition(" ")[2].strip()


def _size(host: Host, pattern: str) -> int:
    """Bytes of what the pattern names; 0 where there is nothing."""
    printed = host.run(f"du -cb {pattern} | tail -n 1", check=False).stdout
    return int(printed.split()[0]) if printed else 0
