"""Fixtures of the lab: an upstream that serves, fresh hosts that go away again, and the main job.

Where no host can be booted the session ends with an error that says why: lab tests that were skipped
would look like lab tests that passed.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from lab import preconditions, ssh, upstream_process
from lab.hosts import Host, all_hosts
from tests.lab import provisioning
from tests.lab.provisioning import Result

# A test's host is named after the process that made it, so that sessions do not take each other's
# and what a killed one left behind can be told.
_NAME = re.compile(r"test-(?P<pid>[0-9]+)-[0-9]+(-.+)?")
_numbers = itertools.count(1)


class LabHost(Protocol):
    """Makes a fresh host and waits for its SSH."""

    def __call__(
        self,
        debian: int = 12,
        *,
        airgapped: bool = False,
        podman: bool = False,
        sudo_user: str | None = None,
    ) -> Host: ...


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
    """Tests that share hosts go to one process: those of a file, and all files of a folder below this one."""

    def _split_scope(self, nodeid: str) -> str:
        path = Path(nodeid.partition("::")[0])
        return str(path if path.parent.name == Path(__file__).parent.name else path.parent)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """How tests are dealt out where several processes run them."""
    return _Together(config, log)


def pytest_sessionstart(session: pytest.Session) -> None:
    """End it before its processes start, which could not say why."""
    if not hasattr(session.config, "workerinput"):
        _bootable()


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
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def upstream() -> None:
    """The lab's upstream serves its artifacts on the bridge; it goes on doing so afterwards."""
    upstream_process.ensure()


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


@contextmanager
def hosts(session: pytest.Session) -> Iterator[LabHost]:
    """A factory of fresh hosts, which go in the end."""
    made: list[str] = []
    failed_before = session.testsfailed

    def create(
        debian: int = 12,
        *,
        airgapped: bool = False,
        podman: bool = False,
        sudo_user: str | None = None,
    ) -> Host:
        name = f"test-{os.getpid()}-{next(_numbers)}"
        made.append(name)
        return Host.create(name, debian, airgapped=airgapped, podman=podman, sudo_user=sudo_user)

    yield create
    if os.environ.get("KEEP") == "1" and session.testsfailed > failed_before:
        print(f"KEEP=1: look at {', '.join(made)} with script/lab ssh NAME")
        return
    ours = tuple(f"{name}-" for name in made)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(_remove, [it for it in all_hosts() if it.name in made or it.name.startswith(ours)]))


def _remove(host: Host) -> None:
    host.destroy()
    ssh.forget(host.name)
