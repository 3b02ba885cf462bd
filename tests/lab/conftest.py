"""Fixtures of the lab: an upstream that serves, fresh hosts that go away again, and the main job.

Where no host can be booted the session ends with an error that says why: lab tests that were skipped
would look like lab tests that passed.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from lab import preconditions, ssh, upstream_process
from lab.hosts import Host, all_hosts
from tests.lab import provisioning, serving, sessions
from tests.lab.provisioning import Result
from tests.lab.serving import Originals

# A test's host is named after the process that made it, so that sessions do not take each other's
# and what a killed one left behind can be found. The hosts of a whole session have the number 0.
_NAME = re.compile(r"test-(?P<pid>[0-9]+)-[0-9]+(-.+)?")
_numbers = itertools.count(1)

# Begun first, in this order: with them the session would end late. The first one makes the hosts that serve;
# the two after it need none for a while.
_LONG = (
    *("test_images_ollama.py", "test_images_built.py", "test_cut_off.py", "test_kill_everywhere.py"),
    *("test_bundle.py", "test_remove.py", "test_store.py", "test_any_way.py", "test_status.py"),
    *("test_commands.py", "test_upgrade.py", "test_verify.py", "test_generations.py"),
    *("test_faults_of_hosts.py", "test_development.py", "test_door.py", "test_apt.py"),
    *("test_provision_faults.py", "test_another_service.py", "test_provision_refusals.py"),
    *("test_vllm.py", "test_onnx.py"),
)


class LabHost(Protocol):
    """Makes a fresh host and waits for its SSH."""

    def __call__(
        self,
        debian: int = 12,
        *,
        airgapped: bool = False,
        podman: bool = False,
        packages: Collection[str] = (),
        sudo_user: str | None = None,
    ) -> Host: ...

    def clone(self, source: Host) -> Host:
        """One that has all that is on a host that is down."""


class Provision(Protocol):
    """Runs the main job against an inventory, given as a dictionary or as a YAML file."""

    def __call__(
        self,
        inventory: Mapping[str, Any] | Path,
        *arguments: str,
        deploy: str = "deploy/venom.py",
        env: Mapping[str, str] | None = None,
    ) -> Result: ...


class _Together(LoadScopeScheduling):  # type: ignore[misc]
    """Tests of a file go to one process: they share hosts. Files share none."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first."""
    order = {name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


def pytest_addoption(parser: pytest.Parser) -> None:
    """What makes the session thorough."""
    parser.addoption("--all", action="store_true", help="kill runs after every operation, not every fifth")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """How tests are dealt out where several processes run them: in our order."""
    config.option.loadscopereorder = False
    return _Together(config, log)


def pytest_sessionstart(session: pytest.Session) -> None:
    """End it before its processes start, which could not say why."""
    if not hasattr(session.config, "workerinput"):
        _bootable()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the hosts that all processes of the session shared."""
    if hasattr(session.config, "workerinput") or _hosts_stay(session):
        return
    for host in all_hosts():
        if host.name.startswith(serving.shared_name(os.getpid(), "")):
            _remove(host)


@pytest.fixture(scope="session", autouse=True)
def bootable() -> None:
    """For a session that did not begin here, but came by."""
    _bootable()


def _bootable() -> None:
    """End the session where this machine cannot boot hosts; clear away what a killed one left."""
    if missing := preconditions.missing():
        pytest.exit(preconditions.message(missing), returncode=3)
    for host in all_hosts():
        match = _NAME.fullmatch(host.name)
        if match and not Path(f"/proc/{match['pid']}").exists():
            _remove(host)


@pytest.fixture(scope="session", autouse=True)
def controllers_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the controller keeps of its runs is of this session: it begins with nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(sessions.folder(tmp_path_factory) / "cache"))
        yield


@pytest.fixture(scope="session")
def upstream() -> None:
    """The lab's upstream serves its artifacts on the bridge; it goes on doing so afterwards."""
    upstream_process.ensure()


@pytest.fixture(scope="session")
def originals(upstream: None, tmp_path_factory: pytest.TempPathFactory) -> Originals:
    """What the session's first run of the main job made; with it, the controller keeps the UI."""
    return serving.originals(sessions.folder(tmp_path_factory))


@pytest.fixture
def lab_host(request: pytest.FixtureRequest) -> Iterator[LabHost]:
    """A factory of fresh hosts, which go with the test. With KEEP=1 those of a failed test stay."""
    with hosts(request.session) as create:
        yield create


@pytest.fixture(scope="module")
def module_host(request: pytest.FixtureRequest) -> Iterator[LabHost]:
    """A factory of fresh hosts that all tests of a module share."""
    with hosts(request.session) as create:
        yield create


@pytest.fixture
def provision(upstream: None, tmp_path: Path) -> Provision:
    """The main job, run from the command line as an operator does."""

    def run(
        inventory: Mapping[str, Any] | Path,
        *arguments: str,
        deploy: str = "deploy/venom.py",
        env: Mapping[str, str] | None = None,
    ) -> Result:
        path = provisioning.inventory(tmp_path, inventory)
        return provisioning.run(path, *arguments, deploy=deploy, env=env)

    return run


class _Factory:
    """Makes hosts and knows them."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, debian: int = 12, **wanted: Any) -> Host:
        return Host.create(self._name(), debian, **wanted)

    def clone(self, source: Host) -> Host:
        return source.clone(self._name())

    def _name(self) -> str:
        name = f"test-{os.getpid()}-{next(_numbers)}"
        self.made.append(name)
        return name


@contextmanager
def hosts(session: pytest.Session) -> Iterator[LabHost]:
    """A factory of fresh hosts, which go in the end."""
    factory = _Factory()
    failed_before = session.testsfailed
    yield factory
    if _hosts_stay(session, failed_before):
        print(f"KEEP=1: look at {', '.join(factory.made)} with script/lab ssh NAME")
        return
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(_remove, [it for it in all_hosts() if _is_of(it.name, factory.made)]))


def _is_of(name: str, made: list[str]) -> bool:
    """Whether it is the name of one of those hosts, or of a copy that a test made."""
    return name in made or name.startswith(tuple(f"{it}-" for it in made))


def _hosts_stay(session: pytest.Session, failed_before: int = 0) -> bool:
    """Whether hosts stay, to be looked at."""
    return os.environ.get("KEEP") == "1" and session.testsfailed > failed_before


def _remove(host: Host) -> None:
    host.destroy()
    ssh.forget(host.name)
