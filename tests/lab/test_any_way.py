"""Whichever way a host has come, it ends as a clean install of what its inventory says now.

Every ordered pair of profiles, on one walk of six steps; and changes other than the profile, there and
back. At each step only the services concerned get another process, and a second run changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lab.hosts import Host
from roles.base.deploy import PACKAGES
from tests.lab import comparison, provisioning, visitor
from tests.lab.conftest import LabHost
from tests.lab.provisioning import Result, fleet_of
from tests.lab.serving import Originals
from tests.lab.visitor import LIGHT, LLM_OFF

_BACKEND, _UI, _OLLAMA = "venom-backend.service", "venom-ui.service", "ollama.service"
_UNITS = {"light": LIGHT, "llm_off": LLM_OFF, "full": LIGHT}
# Each ordered pair of profiles is one step of it, and it ends where it began.
_WALK = ("light", "llm_off", "full", "llm_off", "light", "full", "light")
_STEPS = list(pairwise(_WALK))
# A profile without a model leaves those that are there, as data of the operator's.
_WEIGHTS = {r"/var/lib/ollama/models/.": "weights stay, whatever the profile"}
# What is kept to go back to shows the way, as it shall: here nothing is kept.
_COMMON: dict[str, Any] = {"keep_generations": 1}


@dataclass(frozen=True)
class Walker:
    """A host that changes, and how hosts are that never were anything but one profile."""

    host: Host
    folder: Path
    clean: dict[str, dict[str, str]]

    def run(self, *arguments: str, **settings: Any) -> Result:
        """The main job, with these settings; None takes one out."""
        declared = fleet_of(self.host, **_COMMON, **settings)
        for name in [name for name, value in settings.items() if value is None]:
            del declared["defaults"][name]
        return provisioning.run(provisioning.inventory(self.folder, declared), *arguments)

    def processes(self) -> dict[str, int]:
        """Unit → id of its main process, of those that run."""
        return {unit: pid for unit, pid in visitor.processes(self.host, LIGHT).items() if pid}


@pytest.fixture(scope="module")
def walker(originals: Originals, module_host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Walker:
    """Three clean hosts, made side by side by one run, and a copy of the first that changes later."""
    folder = tmp_path_factory.mktemp("walker")
    hosts = {profile: module_host(12, packages=PACKAGES.names) for profile in _UNITS}
    declared = fleet_of(*hosts.values(), **_COMMON)
    for profile, host in hosts.items():
        declared["hosts"][host.name]["profile"] = profile
    provisioning.run(provisioning.inventory(folder, declared)).check()
    clean = {profile: comparison.describe(host) for profile, host in hosts.items()}
    for host in hosts.values():
        host.stop()
    walker = Walker(hosts["light"].clone(f"{hosts['light'].name}-walker"), folder, clean)
    walker.run(profile="light").check()
    return walker


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [(number, *step) for number, step in enumerate(_STEPS)],
    ids=[f"{before}-{after}" for before, after in _STEPS],
)
def test_a_profile_after_another_is_a_clean_install_of_it(
    walker: Walker, step: int, before: str, after: str
) -> None:
    processes = walker.processes()
    assert set(processes) == set(_UNITS[before]), "the steps build on each other: run them all"
    walker.run(profile=after).check()
    now = walker.processes()
    assert set(now) == set(_UNITS[after])
    left_out = _WEIGHTS if after == "llm_off" else {}
    described = comparison.describe(walker.host, left_out=left_out)
    assert comparison.differences(walker.clean[after], described) == []
    # The backend has other settings; Ollama goes or comes; nobody else notices.
    assert {unit for unit in {*processes, *now} if processes.get(unit) != now.get(unit)} == {
        _BACKEND,
        *(set(_UNITS[before]) ^ set(_UNITS[after])),
    }
    assert walker.run(profile=after).check().changed_operations == []
    assert walker.processes() == now


def test_every_pair_of_profiles_is_among_the_steps() -> None:
    assert {frozenset(step) for step in _STEPS} == {
        frozenset((a, b)) for a in _UNITS for b in _UNITS if a != b
    }
    assert len(set(_STEPS)) == 6


def test_other_changes_restart_whom_they_concern_and_leave_nothing_when_they_are_taken_back(
    walker: Walker,
) -> None:
    walker.run(profile="light").check()
    initial = comparison.describe(walker.host)
    settings: dict[str, Any] = {"profile": "light"}
    changes: list[tuple[dict[str, Any], set[str]]] = [
        ({"environment": {"OLLAMA_RETRY_MAX_ATTEMPTS": 5}}, {_BACKEND}),
        ({"ports": {"ui": 3001}}, {_UI}),
        ({"ollama": {"version": "0.32.15"}}, {_OLLAMA}),
        ({"vram_tier": "balanced-12-24gb"}, {_OLLAMA, _BACKEND}),
        ({"ca_bundle": None}, set()),
    ]
    for change, concerned in changes:
        processes = walker.processes()
        settings |= change
        walker.run(**settings).check()
        now = walker.processes()
        assert {unit for unit in LIGHT if now.get(unit) != processes.get(unit)} == concerned, change
        assert set(now) == set(LIGHT)
    assert visitor.fetch(walker.host, "http://127.0.0.1:3001/").status == 200
    assert walker.run(**settings).check().changed_operations == []

    walker.run(profile="light").check()
    assert comparison.differences(initial, comparison.describe(walker.host)) == []


def test_another_port_of_the_backend_is_reported_to_need_another_ui(walker: Walker) -> None:
    planned = walker.run("--dry", profile="light", ports={"backend": 8001}).check()
    assert "to be made: UI build" in planned.output
    assert "UI build | start" in planned.planned
