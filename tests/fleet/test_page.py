"""How a fleet stands, as a page: what needs somebody comes first, and nothing of a host becomes markup."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fleet import page
from tests.fleet.pages import fleet


def test_hosts_that_need_somebody_come_first() -> None:
    text = page.render(fleet())
    assert re.findall(r'<h2 id="host-\d-name">(\w+)</h2>', text) == ["gpu3", "gpu2", "gpu4", "gpu1"]
    assert "The fleet needs somebody" in text
    assert "1 of 4 could not be judged: gpu3. 2 of 4 not in sync: gpu2, gpu4." in text


def test_a_fleet_in_sync_says_so_and_how_many_hosts_it_has() -> None:
    document = fleet()
    document["hosts"] = {"gpu1": document["hosts"]["gpu1"]}
    assert "<title>The host is in sync</title>" in page.render(document)
    document["hosts"]["gpu5"] = document["hosts"]["gpu1"]
    assert "<title>All 2 hosts are in sync</title>" in page.render(document)
    assert "<title>No hosts</title>" in page.render({"status": 0, "hosts": {}})


def test_each_host_shows_what_serves_what_differs_its_last_run_and_its_budgets() -> None:
    text = page.render(fleet())
    for shown in (
        "Venom v1.9.0 (62ce167a1ff8), llm_off",
        "2026-11-21 20:11 UTC by ada@desk",
        "light -&gt; llm_off",
        "over: chat in the browser",
        "5.0 GiB of 5.0 GiB in VRAM",
        "valid for 812 days",
        "2026-11-22 03:10 UTC",
        "data of 2026-11-22 08:00 UTC, 12 MB",
        "Nothing was provisioned here.",
        "What it serves is not known.",
        "another generation",
        "not measured",
    ):
        assert shown in text, shown


def test_what_comes_from_a_host_is_escaped_and_the_page_asks_nobody() -> None:
    text = page.render(fleet())
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "default-src 'none'" in text
    assert re.findall(r'(?:src|href)="(?!#)', text) == []


def test_the_command_writes_the_page_beside_the_document(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    path.write_text(json.dumps(fleet()), encoding="utf-8")
    assert page.main([str(path)]) == 0
    assert (tmp_path / "status.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"hosts": {"a": {}}}'])
def test_another_document_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    path = tmp_path / "status.json"
    path.write_text(text, encoding="utf-8")
    assert page.main([str(path)]) == 1
    assert "required  what deploy/status.py prints with --json" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [path]
