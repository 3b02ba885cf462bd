"""What a host reports of itself: the component, the program's parts, and the files for who reads it."""

from __future__ import annotations

import importlib
import json
import os
import pwd
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from engine import remote
from engine.component import Component
from engine.observation import Observed
from engine.resources import Absent, Enabled, File, Link
from roles.metrics import deploy as metrics
from roles.metrics.deploy import LINK, PROGRAM, QUESTION, SERVICE, TIMER
from roles.removal.removal import units_of
from tests.http_serving import Quiet, serving
from tests.roles.plans import INVENTORY, components_of, plan

REPORTS = f"{INVENTORY}    metrics: {{textfile: true}}\n"
MODULES = ("reading", "read_door", "fingerprint", "serving", "exposition", "differences", "speed", "collect")


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The parts of the program that runs on the host, by their names."""
    for folder in (remote.SCRIPTS, metrics.SCRIPTS):
        monkeypatch.syspath_prepend(str(folder))
    yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    for name in (*MODULES, "certificates"):
        sys.modules.pop(name, None)


def _component(inventory: str) -> Component:
    return next(it for it in components_of(plan(inventory)) if it.name == "metrics")


def _files(inventory: str) -> dict[str, str]:
    return {it.path: it.content for it in _component(inventory).prerequisites if isinstance(it, File)}


def test_a_host_that_reports_nothing_has_nothing_of_it() -> None:
    component = _component(INVENTORY)
    assert all(isinstance(it, Absent) for it in component.prerequisites)
    assert {LINK, f"/etc/systemd/system/{TIMER}", f"/etc/systemd/system/{SERVICE}"} <= {
        str(it) for it in component.prerequisites
    }
    assert (component.resources, component.service, component.unit) == ((), None, "")


def test_what_reports_is_kept_apart_from_what_generations_switch() -> None:
    component = _component(REPORTS)
    assert (component.resources, component.service, component.unit, component.apart) == (
        (),
        None,
        TIMER,
        True,
    )
    assert Enabled(TIMER, now=True) in component.prerequisites
    assert Link(LINK, "/run/venom-metrics/venom.prom") in component.prerequisites
    assert {SERVICE, TIMER} <= set(units_of(component.prerequisites)), "removal stops both"


def test_a_timer_counts_as_declared_only_while_it_runs() -> None:
    stopped = {TIMER: {"UnitFileState": "enabled", "ActiveState": "inactive"}}
    runs = {TIMER: {"UnitFileState": "enabled", "ActiveState": "active"}}
    assert Enabled(TIMER, now=True).differs(Observed(units=stopped)) == "is not started"
    assert Enabled(TIMER, now=True).differs(Observed(units=runs)) == ""
    # A service is started by the switch, which compares its fingerprint.
    assert Enabled("a.service").differs(Observed(units={"a.service": stopped[TIMER]})) == ""


def test_the_program_is_asked_for_what_no_generation_says() -> None:
    asked = json.loads(_files(REPORTS)[QUESTION])
    assert asked["units"] == []
    assert set(asked["versions"]) == {"Python", "Node", "Ollama"}
    assert asked["speed"] is False
    store = "    store: {host: box, allow_from: [192.0.2.0/24]}\n"
    assert json.loads(_files(REPORTS + store)[QUESTION])["units"] == ["venom-store.service"]


def test_it_may_read_what_it_compares_and_write_nothing_but_its_own_folder() -> None:
    unit = _files(REPORTS)[f"/etc/systemd/system/{SERVICE}"].splitlines()
    assert "CapabilityBoundingSet=CAP_DAC_READ_SEARCH CAP_SYS_PTRACE" in unit
    assert "ProtectSystem=strict" in unit
    assert not [it for it in unit if it.startswith("ReadWritePaths")]
    filtered = _files(REPORTS + "    door: {firewall: true}\n")[f"/etc/systemd/system/{SERVICE}"]
    assert ("CAP_NET_ADMIN" in filtered, "CAP_NET_ADMIN" in "\n".join(unit)) == (True, False)


def test_a_sample_stands_below_the_help_and_the_type_of_its_metric(program: SimpleNamespace) -> None:
    samples = program.exposition.Samples()
    samples.add("venom_service_up", True, unit="a.service", service='A "b"\\')
    samples.add("venom_drift", 0)
    samples.add("venom_service_up", False, unit="b.service", service="B")
    samples.add("venom_model_vram_ratio", 0.5, model="m")
    assert samples.text().splitlines() == [
        "# HELP venom_service_up Whether the unit is active.",
        "# TYPE venom_service_up gauge",
        'venom_service_up{service="A \\"b\\"\\\\",unit="a.service"} 1',
        'venom_service_up{service="B",unit="b.service"} 0',
        "# HELP venom_drift How many things on the host are not as they were applied.",
        "# TYPE venom_drift gauge",
        "venom_drift 0",
        "# HELP venom_model_vram_ratio The share of it that lies in VRAM, 0 to 1.",
        "# TYPE venom_model_vram_ratio gauge",
        'venom_model_vram_ratio{model="m"} 0.5',
    ]


def _generation(folder: Path) -> dict[str, Any]:
    """One of a file, a folder, a link, settings and a path that must not be, all as they should be."""
    me = pwd.getpwuid(os.getuid()).pw_name
    made = {"folder": folder / "folder", "file": folder / "file", "settings": folder / "settings"}
    made["folder"].mkdir(mode=0o755)
    made["file"].write_text("text\n", encoding="utf-8")
    made["file"].chmod(0o644)
    made["settings"].write_text("# A=2\nA=1\nOTHER=x\n", encoding="utf-8")
    made["settings"].chmod(0o600)
    (folder / "link").symlink_to("file")
    return {
        "resources": [
            {"kind": "directory", "path": str(made["folder"]), "owner": me, "mode": "0755"},
            {"kind": "file", "path": str(made["file"]), "owner": me, "mode": "0644", "content": "text\n"},
            {"kind": "link", "path": str(folder / "link"), "target": "file"},
            {"kind": "settings", "path": str(made["settings"]), "owner": me, "values": {"A": "1"}},
            {"kind": "absent", "path": str(folder / "absent")},
            {"kind": "enabled", "unit": "a.service"},
        ],
        "services": [],
        "stopped": ["b.service"],
        "parts": [str(made["folder"])],
    }


def test_a_host_that_is_as_it_was_applied_has_no_drift_and_each_change_is_counted(
    program: SimpleNamespace, tmp_path: Path
) -> None:
    generation = _generation(tmp_path)
    units = {"a.service": {"UnitFileState": "enabled"}, "b.service": {"ActiveState": "inactive"}}
    assert list(units) == sorted(program.differences.named(generation))
    assert program.differences.differing(generation, units, {}) == []
    (tmp_path / "folder").chmod(0o700)
    (tmp_path / "file").write_text("by hand", encoding="utf-8")
    (tmp_path / "link").unlink()
    (tmp_path / "settings").write_text("A=by hand\n", encoding="utf-8")
    (tmp_path / "absent").touch()
    units = {"a.service": {"UnitFileState": "disabled"}, "b.service": {"ActiveState": "active"}}
    assert program.differences.differing(generation, units, {}) == sorted(
        [*(str(tmp_path / it) for it in ("absent", "file", "folder", "link", "settings"))]
        + ["a.service (enabled)", "b.service"]
    )


def test_a_service_whose_process_has_other_inputs_is_drift(program: SimpleNamespace) -> None:
    service = {"unit": "a.service", "fingerprint": "f" * 16}
    runs = program.differences.runs
    assert not runs(service, {"ActiveState": "active", "MainPID": str(os.getpid())}, {})
    assert not runs(service, {"ActiveState": "inactive"}, {})
    door = {**service, "reloads": {"certificate": ""}}
    assert runs(door, {"ActiveState": "active"}, {"a.service": ""})
    assert not runs(door, {"ActiveState": "active"}, {"a.service": "no answer"})


class _Ollama(Quiet):
    """A model server: which model is loaded until when, and what it was asked to generate."""

    protocol_version = "HTTP/1.1"
    until = "2026-01-01T00:00:00Z"
    asked: list[dict[str, Any]]

    def do_GET(self) -> None:
        self._answer({"models": [{"name": "m", "expires_at": self.until}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body)
        type(self).until = f"2026-01-01T00:00:0{len(self.asked)}Z"
        self._answer({"eval_count": 32, "eval_duration": int(4e9)})

    def _answer(self, document: dict[str, Any]) -> None:
        text = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def ollama() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The address of a model server, and what it is asked to generate."""
    handler: type[BaseHTTPRequestHandler] = type("Ollama", (_Ollama,), {"asked": []})
    with serving(handler) as url:
        yield url, handler.asked  # type: ignore[attr-defined]


def test_the_speed_is_measured_once_an_hour_and_only_after_a_quiet_time(
    program: SimpleNamespace, ollama: tuple[str, list[dict[str, Any]]]
) -> None:
    api, asked = ollama
    measured = program.speed.measured
    known = measured(api, "m", {}, 10_000)
    assert known == {"unload": "2026-01-01T00:00:00Z", "since": 10_000}
    assert measured(api, "m", known, 10_599) == known, "somebody asked not ten minutes ago"
    known = measured(api, "m", known, 10_600)
    assert (known["tokens_per_second"], known["at"]) == (8.0, 10_600)
    assert measured(api, "m", known, 10_600 + 3_599) == known, "an hour is not over"
    assert len(asked) == 1
    assert set(asked[0]["options"]) == {"num_predict", "temperature"}, "nothing that loads the model anew"
    assert "keep_alive" not in asked[0]
    assert measured(api, "m", known, 10_600 + 3_600)["at"] == 14_200


def test_the_speed_is_not_measured_while_somebody_asks_or_the_model_is_not_loaded(
    program: SimpleNamespace, ollama: tuple[str, list[dict[str, Any]]]
) -> None:
    api, asked = ollama
    known = {"unload": "2026-01-01T00:00:00Z", "since": 0}
    port = int(api.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)):
        assert program.speed.busy(str(port))
        assert program.speed.measured(api, "m", known, 100_000) == known
    last = {"tokens_per_second": 8.0, "at": 1}
    assert program.speed.measured(api, "another", {**known, **last}, 100_000) == last
    assert asked == []


def test_the_host_of_a_store_reports_who_pulls_from_it_and_who_never_did(
    program: SimpleNamespace, tmp_path: Path
) -> None:
    receipt = {"result": "refused", "applied_at": 50}
    (tmp_path / "box.json").write_text(json.dumps(receipt), encoding="utf-8")
    os.utime(tmp_path / "box.json", (100, 100))
    samples = program.exposition.Samples()
    for name in ("box", "silent"):
        program.collect.pull(samples, name, 3600, str(tmp_path / f"{name}.json"))
    assert [it for it in samples.text().splitlines() if not it.startswith("#")] == [
        'venom_pull_period_seconds{host="box"} 3600',
        'venom_pull_period_seconds{host="silent"} 3600',
        'venom_pull_receipt_time_seconds{host="box"} 100',
        'venom_pull_receipt_time_seconds{host="silent"} 0',
        'venom_pull_applied{host="box"} 0',
        'venom_pull_applied{host="silent"} 0',
        'venom_pull_applied_time_seconds{host="box"} 50',
    ]


FILES = Path(metrics.__file__).parent / "files"
NAME = re.compile(r"\bvenom_[a-z_]+")


def _expressions() -> dict[str, list[str]]:
    """What alerts and dashboard ask Prometheus for, by the file."""
    rules = yaml.safe_load((FILES / "alerts.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    board = json.loads((FILES / "dashboard.json").read_text(encoding="utf-8"))
    asked = [it["expr"] for panel in board["panels"] for it in panel["targets"]]
    return {
        "alerts.yaml": [it["expr"] for it in rules],
        "dashboard.json": [*asked, *(it["query"] for it in board["templating"]["list"])],
    }


@pytest.mark.parametrize("name", ["alerts.yaml", "dashboard.json"])
def test_alerts_and_dashboard_ask_for_metrics_that_there_are(program: SimpleNamespace, name: str) -> None:
    asked = {found for it in _expressions()[name] for found in NAME.findall(it)}
    assert asked
    assert asked - set(program.exposition.METRICS) == set()


def test_every_metric_that_is_described_is_written_and_documented(program: SimpleNamespace) -> None:
    written = set(NAME.findall((metrics.SCRIPTS / "collect.py").read_text(encoding="utf-8")))
    assert written == set(program.exposition.METRICS)
    for document in ("metrics.md", "metrics.pl.md"):
        text = (FILES.parents[2] / "docs" / document).read_text(encoding="utf-8")
        assert set(NAME.findall(text)) == written, document


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    rules = yaml.safe_load((FILES / "alerts.yaml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    assert all({"summary", "do"} <= set(it["annotations"]) for it in rules)
    for document in ("metrics.md", "metrics.pl.md"):
        text = (FILES.parents[2] / "docs" / document).read_text(encoding="utf-8")
        assert [it["alert"] for it in rules if it["alert"] not in text] == [], document


def test_the_program_writes_a_whole_file_also_where_no_generation_serves(tmp_path: Path) -> None:
    question = tmp_path / "question.json"
    question.write_text(json.dumps({"units": [], "versions": {}, "speed": True}), encoding="utf-8")
    program = tmp_path / "program.py"
    program.write_text(_files(REPORTS)[PROGRAM], encoding="utf-8")
    line = [remote.PYTHON, "-I", "-S", str(program), str(question), str(tmp_path)]
    subprocess.run(line, check=True)
    text = (tmp_path / "venom.prom").read_text(encoding="utf-8")
    assert "\nvenom_drift 1\n" in text
    assert text.endswith("\n")
    assert not list(tmp_path.glob("*.part"))
