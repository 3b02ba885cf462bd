"""A run that is killed is an unfinished one: the work on the host goes on, the next run completes it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lab.hosts import Host
from tests.lab import comparison, provisioning, visitor
from tests.lab.conftest import LabHost, Provision
from tests.lab.provisioning import Result, until
from tests.lab.serving import NAMED, Serving, of
from tests.lab.visitor import BACKEND, UI


@dataclass(frozen=True)
class Resumed:
    """A host whose first run was killed while its UI was being built, and the run after that."""

    host: Host
    at_the_kill: list[str]  # steps of the UI's build, with their times
    later: list[str]  # the same, before the next run
    second: Result


@pytest.fixture(scope="module")
def resumed(upstream: None, module_host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Resumed:
    """Begin on a bare host, kill the run, see how the host goes on alone, run again."""
    host = module_host(12)
    inventory = provisioning.inventory(tmp_path_factory.mktemp("killed"), of({"bare": (host, {})}))
    with provisioning.running(inventory) as run:
        until(lambda: _step_is(host, "npm ci") or run.poll() is not None)
        assert run.poll() is None, inventory.with_name("log").read_text()
    at_the_kill = _steps(host)
    until(lambda: len(_steps(host)) > len(at_the_kill), 120)
    later = _steps(host)
    return Resumed(host, at_the_kill, later, provisioning.run(inventory))


def test_the_build_goes_on_while_nobody_watches_it(resumed: Resumed) -> None:
    assert resumed.at_the_kill[-1].endswith(" npm ci")
    assert resumed.later[: len(resumed.at_the_kill)] == resumed.at_the_kill
    assert len(resumed.later) > len(resumed.at_the_kill)


def test_the_next_run_takes_the_build_up_instead_of_beginning_anew(resumed: Resumed) -> None:
    resumed.second.check()
    steps = _steps(resumed.host)
    assert steps[: len(resumed.later)] == resumed.later
    assert steps[-1].endswith(" done")


def test_the_next_run_completes_the_host(resumed: Resumed) -> None:
    assert "serves" in resumed.second.endings["bare"]
    assert visitor.fetch(resumed.host, f"{BACKEND}/healthz").status == 200
    assert visitor.fetch(resumed.host, f"{UI}/").status == 200
    assert visitor.chat(resumed.host, "Still there?").status == "COMPLETED"


def test_nothing_half_made_is_left(resumed: Resumed) -> None:
    assert visitor.parts(resumed.host) == ""
    assert visitor.jobs(resumed.host) == ""


def test_the_host_is_as_one_that_was_never_disturbed(resumed: Resumed, serving: Serving) -> None:
    described = comparison.describe(resumed.host, left_out=NAMED)
    assert comparison.differences(serving.described, described) == []


def test_the_run_after_that_changes_nothing(resumed: Resumed, provision: Provision) -> None:
    assert provision(of({"bare": (resumed.host, {})})).check().changed_operations == []


def _steps(host: Host) -> list[str]:
    """TIME STEP of the UI's build, as far as it has come."""
    return host.run("cat /opt/venom/jobs/ui/steps", check=False).stdout.splitlines()


def _step_is(host: Host, step: str) -> bool:
    steps = _steps(host)
    return bool(steps) and steps[-1].endswith(f" {step}")
