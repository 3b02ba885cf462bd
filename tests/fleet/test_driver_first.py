"""A host whose driver is to be installed is alone in its run, which goes on by itself after the reboot."""

from __future__ import annotations

from pathlib import Path

from fleet.card import alone, closed_to
from tests.fleet.fake_hosts import run, steps
from tests.roles.plans import plan

INVENTORY = """
hosts = [("@fake/gpu1", {"fake_delay": 0.01})]
"""
# The order of deploy/venom.py.
DEPLOY = """
import os
from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation
from pyinfra.operations import server
from engine.operations import refusal_ends_this_host
from engine.refusal import refuse
from roles.driver.install import run_continued

memory = []

def reboot(state, host):
    memory.append(os.environ["MEMORY"])
    return True

@operation()
def host_rebooted():
    yield FunctionCommand(reboot, (), {})

def host_converged():
    with refusal_ends_this_host():
        if memory == ["4"]:
            raise refuse("a card of 8 GB", "4 GB", "another model")
        server.shell(name=f"Make for {memory}", commands=["true"])

with refusal_ends_this_host():
    host_rebooted(name="Reboot")
    run_continued(name="Go on", run=host_converged)
"""


def test_what_is_to_be_done_is_planned_after_the_reboot(tmp_path: Path) -> None:
    done = run(tmp_path, INVENTORY, DEPLOY, MEMORY="8")
    assert done.returncode == 0, done.stdout
    assert steps(done.stdout) == [("Reboot", "gpu1"), ("Go on", "gpu1")]
    assert "Starting nested operation: Make for ['8']" in done.stdout


def test_what_is_refused_after_the_reboot_ends_the_run(tmp_path: Path) -> None:
    done = run(tmp_path, INVENTORY, DEPLOY, MEMORY="4")
    assert done.returncode == 1, done.stdout
    end = done.stdout.partition("--> In the end:\n")[2].split()
    assert " ".join(end).endswith("required a card of 8 GB found 4 GB do another model")


def test_beside_other_hosts_the_command_for_it_alone_is_named() -> None:
    assert alone("gpu2", [], "inventories/office.py") == []
    (finding,) = alone("gpu2", ["gpu1", "gpu3"], "inventories/office.py")
    assert finding.requirement.startswith("gpu2 alone in its run")
    assert finding.found == "gpu1, gpu3 in this run, too"
    assert finding.remedy == "pyinfra --limit gpu2 --data reboot=yes inventories/office.py deploy/venom.py"


def test_a_driver_that_is_lacking_is_refused_where_only_a_store_may_be_asked() -> None:
    host = "hosts:\n  one: {{address: 192.0.2.1, store: {{url: 'http://192.0.2.9:8800'}}, internet: {}}}\n"
    lacking = ["nvidia-smi", "libcuda1"]
    (finding,) = closed_to(plan(host.format("false")), lacking)
    assert finding.requirement.endswith("which has no drivers: nvidia-smi, libcuda1")
    assert closed_to(plan(host.format("false")), []) == [], "installed by an earlier run, or by hand"
    assert closed_to(plan(host.format("true")), lacking) == []
