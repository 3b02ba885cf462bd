"""A run may be killed after any operation: the next one ends where an undisturbed run would have.

Hosts go through the same change side by side. The run is killed by SIGKILL after its first operation
that changed something; the run after that, after the next one; and so on, until one gets to the end. On
the way hosts stay behind as the kill left them, one after every kill or after every few. In the end one
run completes them all, together with a host that was never disturbed, to which they must be equal.

Without --all a run is killed after every fifth operation, and fewer hosts stay behind.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from lab.hosts import Host
from roles.base.deploy import PACKAGES
from tests.lab import comparison, provisioning, visitor
from tests.lab.conftest import LabHost
from tests.lab.provisioning import Result
from tests.lab.serving import Originals
from tests.lab.visitor import BACKEND, UI

# One that is never disturbed, one that goes through all kills, and those that stay behind.
# With --all, and without.
HOSTS, FEWER = 6, 4

T = TypeVar("T")


@dataclass(frozen=True)
class Serving:
    """What a host serves: which generation, by which processes, and whether they answer."""

    generation: str
    processes: str
    answers: str

    @classmethod
    def of(cls, host: Host) -> Serving:
        """The state of this host; nothing on a bare one."""
        printed = host.run(
            "readlink /etc/venom/generations/current || echo none;"
            "systemctl show --property MainPID --value venom-backend venom-ui | xargs;"
            f"curl --silent --output /dev/null --write-out '%{{http_code}} ' {BACKEND}/healthz;"
            f"curl --silent --output /dev/null --write-out '%{{http_code}}' {UI}/; echo",
            check=False,
        ).stdout
        return cls(*printed.splitlines())


@dataclass(frozen=True)
class Killed:
    """A change that was killed everywhere, and then completed."""

    hosts: Sequence[Host]
    operations: Sequence[str]  # those that changed something, of the runs that were killed
    kills: int
    every: int  # after so many kills a host stays behind
    behind: int  # hosts that did
    disturbed: Sequence[str]  # what was not served after a kill
    completed: Result
    again: Result


@dataclass(frozen=True)
class Killing:
    """How runs are killed, and where their inventories lie."""

    folder: Path
    operations: int  # a run is killed after so many of those that change something
    count: int  # of hosts

    def everywhere(self, hosts: Sequence[Host], every: int = 1, **settings: Any) -> Killed:
        """Bring hosts to what the settings say, over kills; the first of them is never disturbed."""
        _, *running = hosts
        # As far apart on the way as where every operation is followed by a kill, if they are as many.
        every = -(-every * (HOSTS - 2) // (self.operations * (self.count - 2)))
        before = _each(running, Serving.of)
        record = self.folder / "operations"
        record.write_text("", encoding="utf-8")
        own = {"KILLED_RUN_RECORD": str(record), "KILLED_RUN_EVERY": str(self.operations)}
        disturbed: list[str] = []
        kills = 0
        while True:
            inventory = provisioning.inventory(self.folder, provisioning.fleet_of(*running, **settings))
            result = provisioning.run(inventory, deploy="tests/lab/killed_run.py", env=os.environ | own)
            if result.status != -signal.SIGKILL:
                result.check()
                break
            disturbed += [f"{it} after kill {kills + 1}" for it in _disturbed(running, before)]
            if kills % every == 0 and len(running) > 1:
                running.pop()
            kills += 1
        inventory = provisioning.inventory(self.folder, provisioning.fleet_of(*hosts, **settings))
        completed = provisioning.run(inventory).check()
        again = provisioning.run(inventory).check()
        operations = record.read_text(encoding="utf-8").splitlines()
        behind = len(hosts) - 1 - len(running)
        return Killed(hosts, operations, kills, every, behind, disturbed, completed, again)


@pytest.fixture(scope="module")
def killing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Killing:
    """After every operation, or after every fifth."""
    operations, count = (1, HOSTS) if request.config.getoption("--all", default=False) else (5, FEWER)
    return Killing(tmp_path_factory.mktemp("kill"), operations, count)


@pytest.fixture(scope="module")
def fresh(originals: Originals, module_host: LabHost, killing: Killing) -> Killed:
    """Bare hosts become hosts of the profile light. The controller has the UI: `upgrade` builds one."""
    # Debian's packages take most of an installation, and are not ours: those that are killed have them.
    # The undisturbed host gets them from the run; and all of them nginx, of which is recorded who brought it.
    names = [name for name in PACKAGES.names if name != "nginx"]
    hosts = [module_host(12), *(module_host(12, packages=names) for _ in range(killing.count - 1))]
    return killing.everywhere(hosts, every=4)


@pytest.fixture(scope="module")
def off(fresh: Killed, killing: Killing) -> Killed:
    """Hosts of the profile light become hosts without a model."""
    return killing.everywhere(fresh.hosts, profile="llm_off")


@pytest.fixture(scope="module")
def light(off: Killed, killing: Killing) -> Killed:
    """And back."""
    return killing.everywhere(off.hosts)


@pytest.fixture(scope="module")
def upgrade(light: Killed, killing: Killing) -> Killed:
    """Hosts get another version of Venom: another backend, another UI."""
    tree = provisioning.own_venom(killing.folder / "venom")
    for path, before, after in (
        ("venom_core/main.py", '"component": "venom-core"', '"component": "venom-core-2"'),
        ("web-next/app/page.tsx", "<h1>Venom</h1>", "<h1>Venom 2</h1>"),
    ):
        text = (tree / path).read_text(encoding="utf-8")
        assert before in text
        (tree / path).write_text(text.replace(before, after), encoding="utf-8")
    return killing.everywhere(light.hosts, every=3, venom={"tree": str(tree)})


@pytest.mark.parametrize("change", ["fresh", "off", "light", "upgrade"])
def test_a_run_that_is_killed_after_any_operation_is_completed_by_the_next(
    change: str, request: pytest.FixtureRequest
) -> None:
    killed: Killed = request.getfixturevalue(change)
    undisturbed = killed.hosts[0]
    changed = {name for host, name in killed.completed.changed_operations if host == undisturbed.name}
    # A job that ends meanwhile by itself leaves nothing to change to the operation that waits for it.
    assert len(killed.operations) > len(changed) / 2
    assert killed.behind > killed.kills / killed.every - 1, "hosts stayed behind all the way"
    assert list(killed.disturbed) == []
    assert killed.again.changed_operations == []
    described = _each(killed.hosts, comparison.describe)
    expected = described.pop(undisturbed.name)
    assert {name: comparison.differences(expected, it) for name, it in described.items()} == {
        name: [] for name in described
    }
    left = _each(killed.hosts, lambda host: visitor.parts(host) + visitor.jobs(host))
    assert {name: it for name, it in left.items() if it} == {}


def _disturbed(hosts: Iterable[Host], before: Mapping[str, Serving]) -> list[str]:
    """Where neither what served before still serves, by the same processes, nor what is new does."""
    now = _each(hosts, Serving.of)
    return [
        f"{name}: {before[name]} became {it}"
        for name, it in now.items()
        if it != before[name] and (it.generation == before[name].generation or it.answers != "200 200")
    ]


def _each(hosts: Iterable[Host], ask: Callable[[Host], T]) -> dict[str, T]:
    """What each host says, asked side by side."""
    listed = list(hosts)
    with ThreadPoolExecutor(8) as pool:
        return dict(zip((host.name for host in listed), pool.map(ask, listed), strict=True))
