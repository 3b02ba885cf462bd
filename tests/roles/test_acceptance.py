"""An acceptance as a document: what is written is read again, and other tools understand it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from junitparser import Failure, JUnitXml, Skipped

from roles.verification import acceptance, junit
from roles.verification.acceptance import (
    Acceptance,
    Check,
    Evidence,
    HostAcceptance,
    Item,
    Measured,
    Metric,
)
from roles.verification.deploy import documents

JOURNAL = Evidence("journal", "Last lines of venom-ui.service", text="\x1b[31mError:\x00 ąę <&> no such file")
CHECKS = (
    Check("ui.pages", "Pages of the UI", "passed", "no failed request", "31 requests", 1.25),
    Check("ui.chat", "A chat in the UI", "failed", "an answer in 15 s", "none <yet>", 15.0, (JOURNAL,)),
    Check("gpu.used", "The model lies on the card", "skipped", "all of it", "there is no card"),
)
HOST = HostAcceptance(
    name="gpu1",
    address="192.0.2.10",
    result="failed",
    generation="g0123",
    release="v1.9.0",
    profile="light",
    serves="Venom v1.9.0, profile light",
    checks=CHECKS,
    checklist=(Item("Chat latency is below its budget", "failed", ("ui.chat",)),),
    run={"seconds": 72.5},
    metrics={"backend_ready": Metric(1.9, "s", before=2.1)},
    history=(Measured("2026-11-21T00:00:00Z", "g0123", "v1.9.0", "light", {"backend_ready": 2.1}),),
)
NOBODY = HostAcceptance("gpu2", "192.0.2.11", "unreached", serves="was not reached")
FLEET = Acceptance("2026-11-22T03:10:00Z", "ada@desk", "inventories/office.yaml", (HOST, NOBODY))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = acceptance.write(FLEET, tmp_path / "reports" / "now")
    assert acceptance.read(path) == FLEET
    document = json.loads(path.read_text(encoding="utf-8"))
    assert list(document) == ["format", "at", "by", "inventory", "result", "hosts"]
    assert (document["format"], document["result"]) == (1, "failed")


def test_the_vram_tier_stands_in_the_document_where_there_is_a_model(tmp_path: Path) -> None:
    fleet = replace(FLEET, hosts=(replace(HOST, vram_tier="low-vram-8-12gb"), HOST))
    path = acceptance.write(fleet, tmp_path)
    first, second = json.loads(path.read_text(encoding="utf-8"))["hosts"]
    assert first["vram_tier"] == "low-vram-8-12gb"
    assert "vram_tier" not in second
    assert acceptance.read(path) == fleet


def test_another_format_is_not_misread(tmp_path: Path) -> None:
    path = acceptance.write(FLEET, tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace('"format": 1', '"format": 2'), encoding="utf-8")
    with pytest.raises(ValueError, match="format 2; this version reads 1"):
        acceptance.read(path)


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        ((replace(HOST, result="passed"),), 0),
        ((replace(HOST, result="passed"), HOST), 1),
        ((replace(HOST, result="passed"), NOBODY), 1),
        ((), 1),
    ],
)
def test_accepted_is_a_fleet_of_which_every_host_passed(
    hosts: tuple[HostAcceptance, ...], status: int
) -> None:
    assert replace(FLEET, hosts=hosts).exit_status == status


@pytest.mark.parametrize(
    ("results", "together"),
    [
        (["passed", "skipped"], "passed"),
        (["passed", "failed", "skipped"], "failed"),
        (["skipped"], "skipped"),
        ([], "skipped"),
    ],
)
def test_nothing_passes_because_it_was_skipped(results: list[str], together: str) -> None:
    assert acceptance.result_of(results) == together


def test_without_junitparser_the_report_is_written_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "junitparser", None)
    monkeypatch.setattr("roles.verification.deploy.folder", lambda: tmp_path)
    files = documents(FLEET)
    assert {it.name for it in tmp_path.iterdir()} == {"index.html", "report.json"}
    assert "junitparser is missing on this machine: .venv/bin/pip install -e '.[verify]'" in files["junit"]
    monkeypatch.delitem(sys.modules, "junitparser")
    assert documents(FLEET)["junit"] == str(tmp_path / junit.FILE)


def test_other_tools_read_the_junit_file(tmp_path: Path) -> None:
    first, second = JUnitXml.fromfile(str(junit.write(FLEET, tmp_path)))
    assert (first.name, first.tests, first.failures, first.skipped, first.errors) == ("gpu1", 3, 1, 1, 0)
    passed, failed, skipped = first
    assert passed.is_passed
    assert passed.time == 1.25
    assert [type(it) for it in failed.result] == [Failure]
    assert failed.result[0].message == "none <yet>"
    assert "ąę <&> no such file" in failed.system_out
    assert [type(it) for it in skipped.result] == [Skipped]
    assert (second.tests, second.errors) == (1, 1), "a host that was not reached is an error"
