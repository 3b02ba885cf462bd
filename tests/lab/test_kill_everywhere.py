"""A run may be killed after any operation: the next one ends where an undisturbed run would have.

Hosts go through the same change side by side. The run is killed by SIGKILL after its first operation
that changed something; the run after that, after the next one; and so on, until one gets to the end. On
the way hosts stay behind as the kill left them, one after every kill or after every few. In the end one
run completes them all, together with a host that was never disturbed, to which they must be equal.
"""

from __future__ import annotations

import os
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
from tests.lab.visitor import BACKEND, UI

# One that is never disturbed, one that goes through all kills, and those that stay behind.
HOSTS = 6

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
        said = host.run(
            "readlink /etc/venom/generations/current || echo none;"
            "systemctl show --property MainPID --value venom-backend venom-ui | xargs;"
            f"curl --silent --output /dev/null --write-out '%{{http_code}} ' {BACKEND}/healthz;"
            f"curl --silent --output /dev/null --write-out '%{{http_code}}' {UI}/; echo",
            check=False,
        ).stdout
        return cls(*said.splitlines())


@dataclass(frozen=True)
class Killed:
    """A change that was killed everywhere, and then completed."""

    hosts: Sequence[Host]
    kills: Sequence[str]  # the operations after which a run was killed
    every: int  # after so many kills a host stays behind
    behind: int  # hosts that did
    disturbed: Sequence[str]  # what was not served after a kill
    completed: Result
    again: Result


@pytest.fixture(scope="module")
def fresh(upstream: None, module_host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """Bare hosts become hosts of the profile light."""
    undisturbed, first = module_host(12), module_host(12)
    # Debian's packages take most of an installation, and are not ours: once for all that are killed.
    # The undisturbed host gets them from the run; and all of them nginx, of which is noted who brought it.
    first.run(["apt-get", "update", "--quiet"])
    names = [name for name in PACKAGES.names if name != "nginx"]
    first.run(["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *names])
    first.stop()
    with ThreadPoolExecutor(2) as pool:
        clones = list(pool.map(first.clone, (f"{first.name}-{number:02}" for number in range(HOSTS - 1))))
    folder = tmp_path_factory.mktemp("fresh")
    with provisioning.no_ui_kept():
        return _kill_everywhere([undisturbed, *clones], folder, every=4)


@pytest.fixture(scope="module")
def off(fresh: Killed, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """Hosts of the profile light become hosts without a model."""
    return _kill_everywhere(fresh.hosts, tmp_path_factory.mktemp("off"), profile="llm_off")


@pytest.fixture(scope="module")
def light(off: Killed, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """And back."""
    return _kill_everywhere(off.hosts, tmp_path_factory.mktemp("light"))


@pytest.fixture(scope="module")
def upgrade(light: Killed, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    """Hosts get another version of Venom: another backend, another UI."""
    folder = tmp_path_factory.mktemp("upgrade")
    tree = provisioning.own_venom(folder / "venom")
    for path, before, after in (
        ("venom_core/main.py", '"component": "venom-core"', '"component": "venom-core-2"'),
        ("web-next/app/page.tsx", "<h1>Venom</h1>", "<h1>Venom 2</h1>"),
    ):
        text = (tree / path).read_text(encoding="utf-8")
        assert before in text
        (tree / path).write_text(text.replace(before, after), encoding="utf-8")
    return _kill_everywhere(light.hosts, folder, every=3, venom={"tree": str(tree)})


@pytest.mark.parametrize("change", ["fresh", "off", "light", "upgrade"])
def test_a_run_that_is_killed_after_any_operation_is_completed_by_the_next(
    change: str, request: pytest.FixtureRequest
) -> None:
    killed: Killed = request.getfixturevalue(change)
    undisturbed = killed.hosts[0]
    changed = {name for host, name in killed.completed.changed_operations if host == undisturbed.name}
    # A job that ends meanwhile by itself leaves nothing to change to the operation that waits for it.
    assert len(killed.kills) > len(changed) / 2
    assert killed.behind > len(killed.kills) / killed.every - 1, "hosts stayed behind all the way"
    assert list(killed.disturbed) == []
    assert killed.again.changed_operations == []
    described = _each(killed.hosts, comparison.describe)
    expected = described.pop(undisturbed.name)
    assert {name: comparison.differences(expected, it) for name, it in described.items()} == {
        name: [] for name in described
    }
    left = _each(killed.hosts, lambda host: visitor.parts(host) + visitor.jobs(host))
    assert {name: it for name, it in left.items() if it} == {}


def _kill_everywhere(hosts: Sequence[Host], folder: Path, every: int = 1, **settings: Any) -> Killed:
    """Bring hosts to what the settings say, over kills; the first of them is never disturbed."""
    _, *running = hosts
    before = _each(running, Serving.of)
    note = folder / "kills"
    note.touch()
    disturbed: list[str] = []
    while True:
        kills = note.read_text(encoding="utf-8").splitlines()
        inventory = provisioning.inventory(folder, provisioning.fleet_of(*running, **settings))
        env = {**os.environ, "KILLED_RUN_NOTE": str(note)}
        result = provisioning.run(inventory, deploy="tests/lab/killed_run.py", env=env)
        if note.read_text(encoding="utf-8").splitlines() == kills:
            result.check()
            break
        disturbed += [f"{it} after kill {len(kills) + 1}" for it in _disturbed(running, before)]
        if len(kills) % every == 0 and len(running) > 1:
            running.pop()
    inventory = provisioning.inventory(folder, provisioning.fleet_of(*hosts, **settings))
    completed = provisioning.run(inventory).check()
    again = provisioning.run(inventory).check()
    return Killed(hosts, kills, every, len(hosts) - 1 - len(running), disturbed, completed, again)


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
