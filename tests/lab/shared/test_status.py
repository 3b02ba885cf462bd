"""One command reports how the hosts stand: it names every difference, and changes nothing."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine import paths
from engine.release import Release
from engine.resources import (
    Absent,
    Directory,
    Diverted,
    Enabled,
    EnvFile,
    File,
    Link,
    Packages,
    Resource,
    User,
)
from fleet.assessment import plan_one
from lab import network
from lab.hosts import Host
from lab.state import REPOSITORY
from roles.metrics.deploy import LINK, WRITTEN
from roles.preflight.deploy import SCRIPTS
from roles.preflight.facts import parse
from roles.vllm.deploy import RULE
from schemas.inventory import load
from tests.lab import comparison, provisioning, serving, visitor
from tests.lab.conftest import Provision
from tests.lab.serving import MANAGED, Serving
from tests.lab.visitor import BACKEND, LIGHT, LLM_OFF

_STATUS = "deploy/status.py"
_KEY = "OPENAI_API_KEY"
_SECRET = "sk-of-the-test-and-of-nobody"

ALERTS = "roles/metrics/files/alerts.yaml"
_PROMETHEUS = """
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [alerts.yaml]
scrape_configs: [{job_name: venom, static_configs: [{targets: ["127.0.0.1:9100"]}]}]
"""


@pytest.fixture
def fleet(serving: Serving, provision: Provision) -> Iterator[Serving]:
    """Hosts that serve, made what their inventory says again after each test."""
    yield serving
    provision(serving.inventory()).check()


def ask(folder: Path, inventory: Mapping[str, Any], *form: str) -> tuple[int, dict[str, Any]]:
    """The exit status, and the document, which is all that stands on standard output."""
    path = provisioning.inventory(folder, inventory)
    line = provisioning.command(path, *(form or ("--json",)), deploy=_STATUS)
    done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["status"] == done.returncode
    return done.returncode, document["hosts"]


def things(differences: list[dict[str, str]]) -> set[str]:
    return {it["thing"] for it in differences}


def test_hosts_that_serve_are_in_sync_and_nothing_on_them_changes(fleet: Serving, tmp_path: Path) -> None:
    hosts, units = (fleet.light, fleet.off), {fleet.light.name: LIGHT, fleet.off.name: LLM_OFF}
    before = [(visitor.files(it, *MANAGED), visitor.processes(it, units[it.name])) for it in hosts]
    status, reports = ask(tmp_path, fleet.inventory())
    assert status == 0
    assert [(visitor.files(it, *MANAGED), visitor.processes(it, units[it.name])) for it in hosts] == before
    light, off = reports["light"], reports["off"]
    assert {it["state"] for it in reports.values()} == {"in sync"}
    assert (light["profile"], off["profile"]) == ("light", "llm_off")
    assert light["generation"] == visitor.receipt(fleet.light)["generation"]
    health = {it["unit"]: it["health"] for it in light["services"]}
    assert health == dict.fromkeys((*LIGHT, "nginx.service"), "serves")
    assert all(it["since"] and it["memory"] > 1 << 20 for it in light["services"])
    assert off["services"][-1]["health"] == "does not run, as the profile says"
    tags = visitor.fetch(fleet.light, f"{visitor.OLLAMA}/api/tags").json()["models"]
    assert light["model"]["digest"] == tags[0]["digest"].removeprefix("sha256:")
    assert off["model"] is None
    assert {it["name"] for it in light["budgets"]} == {"chat_seconds", "ui_chat_seconds"}, "the contract's"
    assert {it["value"] for it in light["budgets"]} == {None}, "no acceptance has measured it"
    # The form of who cannot give pyinfra's own flag.
    assert ask(tmp_path, fleet.of_light(), "--data", "json=yes")[1]["light"]["state"] == "in sync"


def test_a_service_that_was_restarted_by_itself_is_reported(fleet: Serving, provision: Provision) -> None:
    light = fleet.light
    light.run(f"kill -KILL {visitor.processes(light, LLM_OFF)['venom-backend.service']}")
    visitor.await_answer(light, f"{BACKEND}/healthz")
    result = provision(fleet.of_light(), deploy=_STATUS).check()
    assert "systemd restarted it once: journalctl -u venom-backend.service" in result.output
    assert "light (" in result.output
    assert "in sync" in result.output


def test_every_managed_thing_that_is_changed_by_hand_is_named_and_mended_by_one_run(
    fleet: Serving, provision: Provision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(_KEY, _SECRET)
    inventory = fleet.inventory({"secrets": {_KEY: f"env:{_KEY}"}})
    provision(inventory).check()
    hosts = {"light": fleet.light, "off": fleet.off}
    for host in hosts.values():
        # Where files that must not be there will be put; a host need not have these folders.
        host.run(f"mkdir -p {paths.QUADLETS} {Path(LINK).parent} {WRITTEN} {Path(RULE).parent}")
    before = {name: comparison.describe(it) for name, it in hosts.items()}
    expected = {}
    for declared in load(provisioning.inventory(tmp_path, inventory).with_suffix(".yaml")).hosts:
        host = hosts[declared.name]
        probed = host.run(["sh", "-c", (SCRIPTS / "probe.sh").read_text(encoding="utf-8")]).stdout
        planned = plan_one(declared, parse(probed).hardware)
        release = planned.build.release
        assert isinstance(release, Release)
        cheap = {release.path, release.source_path, release.proof_path}
        cheap |= {job.makes for job in planned.jobs if job.name == "weights"}
        lines = [spoil(it, number) for number, it in enumerate(planned.resources)]
        lines += [f"rm -rf {path}" for path in sorted(cheap)]
        lines += [f"systemctl stop {it.unit}" for it in planned.generation.services]
        lines += [f"systemctl daemon-reload; systemctl start {it}" for it in planned.generation.stopped]
        host.run("\n".join(["set -e", *lines]))
        expected[declared.name] = {
            *(str(it) for it in planned.resources),
            *(it.unit for it in planned.generation.services),
            *planned.generation.stopped,
            *cheap,
        }
    status, reports = ask(tmp_path, inventory)
    assert status == 2
    for name, wanted in expected.items():
        assert wanted - things(reports[name]["drift"]["from_receipt"]) == set(), name
        assert reports[name]["drift"]["from_plan"] == [], "the inventory is what was applied"
    why = next(
        it["why"] for it in reports["light"]["drift"]["from_receipt"] if it["thing"].endswith("venom.env")
    )
    assert _KEY in why
    assert _SECRET not in json.dumps(reports)
    provision(inventory).check()
    status, reports = ask(tmp_path, inventory)
    assert (status, [it["drift"]["from_receipt"] for it in reports.values()]) == (0, [[], []])
    for name, it in hosts.items():
        assert comparison.differences(before[name], comparison.describe(it)) == []


def spoil(it: Resource, number: int) -> str:  # noqa: PLR0911
    """A line that makes it differ; files in each way in which they can."""
    path = shlex.quote(getattr(it, "path", ""))
    match it:
        case Packages(names):
            return f"dpkg --remove --force-depends {names[-1]} >/dev/null"
        case User(name):
            return f"sed -i -E '/^{name}:/s|^(([^:]*:){{5}})[^:]*|\\1/nowhere|' /etc/passwd"
        case Directory():
            return f"chmod 0710 {path}"
        case EnvFile(values=values):
            return f"sed -i -E 's/^({'|'.join(values)})=.*/\\1=by-hand/' {path}"
        case File(mode=mode):
            other = "0644" if mode == "0600" else "0600"
            ways = (f"echo >>{path}", f"chmod {other} {path}", f"chown nobody {path}", f"rm {path}")
            return ways[number % len(ways)]
        case Link():
            return f"ln -sfn /nowhere {path}"
        case Enabled(unit):
            return f"systemctl disable --quiet {unit}"
        case Diverted(package=package):
            return f"ln -s $(dpkg -L {package} | grep /sites-available/default) {path}"
        case Absent():
            kinds = {
                ".service": ("[Service]", "ExecStart=/bin/sleep infinity"),
                ".timer": ("[Timer]", "OnBootSec=1d"),
            }
            section = kinds.get(Path(it.path).suffix, ("[Service]", ""))
            lines = shlex.join(["# Managed by the Venom provisioner", *section])
            return f"mkdir -p $(dirname {path}); printf '%s\\n' {lines} >{path}"


def test_what_the_inventory_says_since_is_kept_apart_from_what_was_changed_by_hand(
    fleet: Serving, provision: Provision, tmp_path: Path
) -> None:
    fleet.light.run("chmod 0600 /etc/systemd/system/venom-ui.service")
    status, reports = ask(tmp_path, fleet.of_light(profile="llm_off"))
    assert status == 2
    drift = reports["light"]["drift"]
    assert drift["from_receipt"] == [{"thing": "/etc/systemd/system/venom-ui.service", "why": "mode is 0600"}]
    pending = {it["thing"]: it["why"] for it in drift["from_plan"]}
    assert pending["profile"] == pending["plan profile"] == "light -> llm_off"
    assert pending["ollama.service"] == "must not run"
    assert "/var/lib/venom/venom.env" in pending
    assert "/etc/systemd/system/venom-ui.service" not in pending, "what differs from both is named once"
    table = provision(fleet.of_light(profile="llm_off"), deploy=_STATUS)
    assert table.status == 2
    assert "the host is not as it was left:\n" in table.output
    assert "  /etc/systemd/system/venom-ui.service: mode is 0600\n" in table.output
    assert re.search(
        r"not yet as the inventory asks:\n +profile: light -> llm_off\n +and \d+ values of the plan follow\n",
        table.output,
    )
    assert visitor.fetch(fleet.light, f"{BACKEND}/healthz").status == 200, "it was only looked at"


def test_metrics_say_what_status_does_and_follow_what_happens(fleet: Serving, provision: Provision) -> None:
    light, inventory = fleet.light, fleet.of_light(metrics={"textfile": True}, door={"firewall": True})
    provision(inventory).check()
    provisioning.until(lambda: bool(metrics(light)), 20)
    light.run("systemctl start venom-metrics.service")
    before = metrics(light)
    assert before["venom_drift"] == 0
    assert {value for name, value in before.items() if name.startswith("venom_service_up")} == {1}
    assert {value for name, value in before.items() if name.startswith("venom_service_ready")} == {1}
    assert sum(name.startswith("venom_service_ready") for name in before) == len(LIGHT) + 2, "and the door"
    assert before['venom_model_loaded{model="gemma3:270m"}'] == 1
    assert 'venom_version_info{program="Ollama",version="0.24.0"}' in before
    assert before["venom_collection_seconds"] < 10
    assert provision(inventory).check().changed_operations == []
    security = light.run("systemd-analyze security --no-pager venom-metrics.service | tail -n 1").stdout
    assert float(security.split("level for venom-metrics.service:")[1].split()[0]) < 3, security
    light.run("chmod 0600 /etc/systemd/system/venom-ui.service; systemctl stop venom-ui.service")
    light.run("systemctl start venom-metrics.service")
    after = metrics(light)
    ui = '{service="UI",unit="venom-ui.service"}'
    assert [after[f"venom_service_{it}{ui}"] for it in ("up", "ready")] == [0, 0]
    assert after["venom_drift"] == 2, "the service, and the mode of its unit's file"
    assert alerts(light) >= {("VenomServiceDown", "UI"), ("VenomDrift", "")}
    # Without them the host is as it was before.
    provision(fleet.of_light()).check()
    left = f"{LINK} /run/venom-metrics/* /etc/systemd/system/venom-metrics.* /opt/venom/tools/metrics.*"
    assert light.run(f"ls -d {left} 2>/dev/null", check=False).stdout == ""
    assert light.run("systemctl is-active venom-metrics.timer", check=False).stdout.strip() == "inactive"


def metrics(host: Host) -> dict[str, float]:
    """What node-exporter reads: it may read no more than anybody."""
    text = host.run(f"runuser -u nobody -- cat {LINK}", check=False).stdout
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def alerts(host: Host) -> set[tuple[str, str]]:
    """The alerts that fire, each with its service, in a Prometheus of Debian's that scrapes the host."""
    packages = "prometheus prometheus-node-exporter"
    host.run(f"apt-get install -qq --no-install-recommends {packages}")
    # Nobody waits for half an hour here.
    rules = re.sub(r"for: \w+", "for: 1s", (REPOSITORY / ALERTS).read_text(encoding="utf-8"))
    host.put(rules, "/etc/prometheus/alerts.yaml")
    host.put(_PROMETHEUS, "/etc/prometheus/prometheus.yml")
    assert "SUCCESS" in host.run("promtool check config /etc/prometheus/prometheus.yml").stdout
    host.run("systemctl restart prometheus prometheus-node-exporter")

    def firing() -> set[tuple[str, str]]:
        answer = visitor.fetch(host, "http://127.0.0.1:9090/api/v1/alerts")
        found = answer.json()["data"]["alerts"] if answer.status == 200 else []
        labels = [it["labels"] for it in found if it["state"] == "firing"]
        return {(it["alertname"], it.get("service", "")) for it in labels}

    provisioning.until(lambda: len(firing()) > 1, 60)
    found = firing()
    host.run(f"apt-get purge -qq {packages}")
    return found


def test_a_host_that_cannot_be_reached_and_one_that_never_was_provisioned_do_not_hide_the_others(
    fleet: Serving, provision: Provision
) -> None:
    inventory = serving.of({"light": (fleet.light, {}), "taken": (fleet.taken, {})})
    inventory["hosts"]["nobody"] = {"address": str(network.SUBNET[251])}
    before = visitor.files(fleet.taken, *serving.BARE)
    result = provision(inventory, deploy=_STATUS)
    assert result.status == 1
    _, _, tables = result.output.partition("light (")
    assert tables.startswith(f"{fleet.light.address}): in sync")
    assert f"taken ({fleet.taken.address}): drift\n  drift       not provisioned" in tables
    assert "): error\n  error       was not reached" in tables
    assert visitor.files(fleet.taken, *serving.BARE) == before


def test_what_cannot_be_known_without_a_network_is_reported_and_so_is_the_rest(
    fleet: Serving, tmp_path: Path
) -> None:
    fleet.light.run("systemctl stop venom-ui.service")
    # Nothing was ever resolved for these packages.
    status, reports = ask(tmp_path, fleet.of_light(requirements={"add": ["iniconfig==2.0.0"]}))
    assert status == 1
    assert "required  a lock" in reports["light"]["errors"][0]
    assert reports["light"]["drift"]["from_receipt"] == [{"thing": "venom-ui.service", "why": "inactive"}]


def test_it_is_run_by_itself(fleet: Serving, tmp_path: Path) -> None:
    path = provisioning.inventory(tmp_path, fleet.of_light())
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [*provisioning.command(path), _STATUS], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "run it by itself" in done.stderr
