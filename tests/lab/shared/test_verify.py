"""The acceptance of real hosts: what works is accepted; what does not is named as a stranger understands."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml

from lab import network
from lab.state import REPOSITORY
from roles.verification import acceptance, junit
from roles.verification.acceptance import Acceptance, Check, HostAcceptance
from tests.lab import provisioning, serving, visitor
from tests.lab.conftest import Provision
from tests.lab.serving import MANAGED, Serving
from tests.lab.visitor import LIGHT, LLM_OFF


@dataclass(frozen=True)
class Verdict:
    """What one run printed, and its report."""

    status: int
    output: str
    report: Acceptance
    folder: Path

    def host(self, name: str) -> HostAcceptance:
        return next(it for it in self.report.hosts if it.name == name)

    def check(self, host: str, name: str) -> Check:
        return next(it for it in self.host(host).checks if it.name == name)


@pytest.fixture
def fleet(serving: Serving, provision: Provision) -> Iterator[Serving]:
    """Hosts that serve, made what their inventory says again after each test."""
    yield serving
    provision(serving.inventory()).check()


@pytest.fixture
def verify(tmp_path: Path) -> Iterator[Any]:
    """Runs the acceptance as an operator does; its reports go away again."""
    folders: list[Path] = []

    def run(inventory: Mapping[str, Any]) -> Verdict:
        path = provisioning.inventory(tmp_path, inventory)
        done = provisioning.run(path, deploy="deploy/verify.py", timeout=300)
        lines = [line for line in done.output.splitlines() if line.startswith("report ")]
        assert lines, done.output
        report = REPOSITORY / lines[-1].split()[-1]
        folders.append(report.parent)
        return Verdict(done.status, done.output, acceptance.read(report), report.parent)

    yield run
    for folder in folders:
        shutil.rmtree(folder)


def failed(host: HostAcceptance) -> dict[str, str]:
    return {it.name: it.found for it in host.checks if it.result == "failed"}


def test_hosts_that_serve_are_accepted_and_nothing_on_them_changes(fleet: Serving, verify: Any) -> None:
    hosts, units = (fleet.light, fleet.off), {fleet.light.name: LIGHT, fleet.off.name: LLM_OFF}
    left = "/var/lib/venom/"  # where the backend keeps its chats
    unchanged = [it for it in MANAGED if not left.startswith(it)]
    before = [(visitor.files(it, *unchanged), visitor.processes(it, units[it.name])) for it in hosts]
    verified = verify(fleet.inventory())
    assert verified.status == 0, verified.output
    assert [(visitor.files(it, *unchanged), visitor.processes(it, units[it.name])) for it in hosts] == before

    light, off = verified.host("light"), verified.host("off")
    assert (light.result, light.profile, off.result, off.profile) == ("passed", "light", "passed", "llm_off")
    skipped = {it.name for it in light.checks if it.result == "skipped"}
    assert skipped == {"gpu.used"}, "the machine of the tests has a browser, and no card"
    assert verified.check("light", "api.chat").found.startswith("COMPLETED after")
    assert verified.check("off", "cloud.key").found.startswith("no key is given, and a chat says so: FAILED")
    assert {it.name for it in off.checks if it.result == "skipped"} == {
        *("api.chat", "api.stream", "ui.chat", "budget.chat_seconds", "budget.ui_chat_seconds"),
    }
    shots = [it.file for host in (light, off) for check in host.checks for it in check.evidence if it.file]
    assert len(shots) == 5
    assert all((verified.folder / it).read_bytes().startswith(b"\x89PNG") for it in shots)
    assert "\naccepted; 6 checks were skipped" in verified.output
    suites = JUnitXml.fromfile(str(verified.folder / junit.FILE))
    assert [(it.name, it.failures, it.errors) for it in suites] == [("light", 0, 0), ("off", 0, 0)]


def test_what_is_broken_is_named(fleet: Serving, verify: Any) -> None:
    chunk = "find /opt/venom/current/ui/ -path '*static*' -name '*.css' | head -n 1"
    css = fleet.off.run(chunk).stdout.strip()
    assert css
    fleet.off.run(f"mv {css} {css}.away")
    fleet.light.run("systemctl stop venom-ui.service")
    fleet.light.run(f'curl -sS -X DELETE {visitor.OLLAMA}/api/delete -d \'{{"model": "gemma3:270m"}}\'')
    verified = verify(fleet.inventory())
    fleet.off.run(f"mv {css}.away {css}")
    assert verified.status == 1

    light = failed(verified.host("light"))
    assert light["units.venom-ui"] == "venom-ui.service: inactive"
    assert "Connection refused" in light["health.venom-ui"]
    assert light["model.digest"] == "gemma3:270m is not there; there is none"
    assert light["api.chat"].startswith("FAILED after")
    assert {"ui.pages", "ui.chat", "plan.applied"} <= set(light)
    journals = [it for it in verified.check("light", "units.venom-ui").evidence if it.kind == "journal"]
    assert journals
    assert failed(verified.host("off")).keys() == {"ui.pages", "ui.narrow"}
    assert Path(css).name in verified.check("off", "ui.pages").found


def test_hosts_that_cannot_be_judged_do_not_hide_the_others(fleet: Serving, verify: Any) -> None:
    inventory = serving.of(
        {"off": (fleet.off, {**serving.llm_off(), "environment": {"OLLAMA_RETRY_MAX_ATTEMPTS": 3}})}
    )
    inventory["hosts"]["taken"] = {"address": fleet.taken.address}
    inventory["hosts"]["nobody"] = {"address": str(network.SUBNET[251])}
    verified = verify(inventory)
    assert verified.status == 1
    assert {it.name: it.result for it in verified.report.hosts} == {
        **{"off": "failed", "taken": "unreached", "nobody": "unreached"},
    }
    assert "was never provisioned: run deploy/venom.py" in verified.host("taken").serves
    assert "was not reached" in verified.host("nobody").serves
    found = failed(verified.host("off"))["plan.applied"]
    assert "not yet as the inventory asks: environment.OLLAMA_RETRY_MAX_ATTEMPTS: none -> 3" in found
