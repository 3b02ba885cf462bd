"""Hosts of the release before are taken up: nothing is lost, and nothing restarts without a cause.

The product as it was released last runs from a copy of its own, as its operator ran it; then this one comes.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import fleet
from lab.hosts import Host
from lab.state import REPOSITORY
from roles.base.deploy import PACKAGES
from tests.lab import provisioning, visitor
from tests.lab.conftest import LabHost
from tests.lab.provisioning import Result
from tests.lab.shared.container_hosts import DOOR, by_image
from tests.lab.visitor import BACKEND, LIGHT, LLM_OFF, UI

# What landed last; whoever releases names the commit here, and CHANGELOG.md says what an upgrade means.
RELEASED = "6cdfee97bddcd78276cf7b3312d9baf0eb762b9a"


@dataclass(frozen=True)
class Fleet:
    """Two hosts that the release before has provisioned, and how they served."""

    hosts: dict[str, Host]
    inventory: Path
    before: dict[str, dict[str, int]]

    def run(self, *arguments: str, deploy: str = "deploy/venom.py") -> Result:
        return provisioning.run(self.inventory, *arguments, deploy=deploy)

    def processes(self) -> dict[str, dict[str, int]]:
        return {name: visitor.processes(host, UNITS[name]) for name, host in self.hosts.items()}


UNITS = {"light": LIGHT, "off": LLM_OFF, "image": LIGHT}
NGINX = ("nginx.service",)
SETTING, READER = "OLLAMA_RETRY_MAX_ATTEMPTS", "venom-backend.service"


@pytest.fixture(scope="module")
def upgraded(upstream: None, module_host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """A light host that is open to a LAN, one without a model, one by image: made by the release before."""
    known = subprocess.run(["git", "cat-file", "-e", f"{RELEASED}^{{commit}}"], cwd=REPOSITORY, check=False)
    if known.returncode != 0:
        pytest.skip(f"a clone without {RELEASED[:12]} cannot show an upgrade: git fetch --unshallow")
    old = tmp_path_factory.mktemp("released")
    archive = subprocess.run(
        ["git", "archive", RELEASED], cwd=REPOSITORY, stdout=subprocess.PIPE, check=True
    ).stdout
    subprocess.run(["tar", "-x", "-C", str(old)], input=archive, check=True)
    hosts = {
        "light": module_host(12, packages=PACKAGES.names),
        "off": module_host(13, packages=PACKAGES.names),
        "image": module_host(13, packages=PACKAGES.names, podman=True),
    }
    settings: dict[str, dict[str, Any]] = {
        "light": {"door": {"exposure": "lan", "allow_from": ["10.77.0.0/24"]}},
        "off": {"profile": "llm_off"},
        "image": by_image(),
    }
    declared = {
        **fleet.default(),
        "hosts": {name: {"address": host.address, **settings[name]} for name, host in hosts.items()},
    }
    declared["defaults"]["mirrors"]["images"] = [DOOR]
    path = provisioning.inventory(old, {**declared, "pins": _pins_for(old, declared["pins"])})
    path.write_bytes((old / "inventories/lab.py").read_bytes())
    # All modules are its own, those of pyinfra's connectors, too.
    provisioning.run(path, house=old, env={**os.environ, "PYTHONPATH": str(old)}).check()
    # Besides the product, one setting changes: else there may be nothing to do.
    declared["defaults"]["environment"] = {**declared["defaults"].get("environment", {}), SETTING: 3}
    made = Fleet(hosts, provisioning.inventory(tmp_path_factory.mktemp("fleet"), declared), {})
    return Fleet(hosts, made.inventory, made.processes())


def _pins_for(old: Path, pins: list[str]) -> list[str]:
    """The lab's pins, without the releases of Venom that the other does not know."""
    known = yaml.safe_load((old / "schemas/data/pins.yaml").read_text(encoding="utf-8"))["releases"]
    made = []
    for number, name in enumerate(pins):
        data = yaml.safe_load(Path(name).read_text(encoding="utf-8"))
        data["releases"] = {it: pin for it, pin in data.get("releases", {}).items() if it in known}
        path = old / f"lab-{number}.yaml"
        path.write_text(yaml.safe_dump({key: it for key, it in data.items() if it}), encoding="utf-8")
        made.append(str(path))
    return made


def test_status_reports_what_differs_and_that_all_serves(upgraded: Fleet) -> None:
    result = upgraded.run(deploy="deploy/status.py")
    assert result.status == 2, result.output
    assert "does not run" not in result.output.replace("does not run, as the profile says", "")
    assert upgraded.processes() == upgraded.before


def test_the_first_run_shows_what_restarts_and_why_and_the_second_changes_nothing(upgraded: Fleet) -> None:
    nginx = {name: visitor.processes(host, NGINX) for name, host in upgraded.hosts.items()}
    planned = upgraded.run("--dry").check().output
    run = upgraded.run().check()
    for name, host in upgraded.hosts.items():
        for url in (f"{BACKEND}/healthz", f"{UI}/"):
            assert visitor.fetch(host, url).status == 200
        assert f"[{name}]" in planned
        assert visitor.processes(host, NGINX) == nginx[name]
    assert visitor.chat(upgraded.hosts["light"], "Still there?").status == "COMPLETED"
    after = upgraded.processes()
    for name, units in upgraded.before.items():
        for unit in (it for it in units if units[it] != after[name][it]):
            # Its own unit differs, or its settings: without a cause nothing restarts.
            assert f"/etc/systemd/system/{unit}" in run.endings[name] or unit == READER
        assert SETTING in run.endings[name]
    assert upgraded.run().check().changed_operations == []


def test_one_can_go_back_to_what_the_release_before_made_and_forth(upgraded: Fleet) -> None:
    back = upgraded.run(deploy="deploy/rollback.py").check()
    assert all("serves" in back.endings[name] for name in upgraded.hosts)
    for host in upgraded.hosts.values():
        assert visitor.fetch(host, f"{BACKEND}/healthz").status == 200
    upgraded.run().check()
    assert upgraded.run().check().changed_operations == []


def test_removal_finds_everything_that_the_release_before_made(upgraded: Fleet) -> None:
    upgraded.run("--data", "purge=yes", deploy="deploy/remove.py").check()
    for host in upgraded.hosts.values():
        left = host.run("ls -d /opt/venom /opt/ollama /etc/venom /var/lib/venom /var/lib/ollama", check=False)
        assert left.stdout == ""
        assert host.run("ls /etc/systemd/system | grep -E 'venom|ollama'", check=False).stdout == ""
