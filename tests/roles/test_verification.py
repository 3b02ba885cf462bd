"""Judging a host: what a check says of what it found, and what the checks come to together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import click
import gevent
import pytest
import requests

from roles.verification import chat, inside, known, table
from roles.verification.acceptance import Acceptance, Check, HostAcceptance
from roles.verification.attempt import NotSo, Skip, attempt
from roles.verification.chat import Event
from roles.verification.checklist import LINES, checklist


def check(name: str, result: str = "passed") -> Check:
    return Check(name, name, result, "expected", "found")


def trying(problem: Exception) -> Check:
    def try_it() -> str:
        raise problem

    return attempt("a.check", "A check", "it works", try_it)


@pytest.mark.parametrize(
    ("problem", "result", "found"),
    [
        (NotSo("two of three"), "failed", "two of three"),
        (Skip("there is no card"), "skipped", "there is no card"),
        (KeyError("runtime"), "failed", "the answer has no 'runtime'"),
        (requests.Timeout("HTTPConnectionPool(host=…)"), "failed", "no answer in time"),
        (requests.ConnectionError("('Connection aborted.', …)"), "failed", "nobody answers: "),
        (ValueError(), "failed", "ValueError"),
    ],
)
def test_whatever_goes_wrong_becomes_a_finding(problem: Exception, result: str, found: str) -> None:
    check = trying(problem)
    assert check.result == result
    assert check.found.startswith(found)


def test_what_has_no_end_is_ended() -> None:
    began = time.monotonic()

    def never() -> str:
        gevent.sleep(60)
        return "an end"

    check = attempt("a.check", "A check", "it ends", never, patience=0.2)
    assert (check.result, check.found) == ("failed", "no end after 0 s")
    assert time.monotonic() - began < 30


def stream(*lines: str) -> list[tuple[str, str]]:
    return list(chat.parse(lines))


def test_events_are_read_as_the_standard_says() -> None:
    lines = ("event:task_update", 'data: {"a":', "data:1}", "", ": a comment", "", "data: x", "")
    assert stream(*lines) == [("task_update", '{"a":\n1}'), ("message", "x")]
    assert stream("event: task_finished", "data: half") == [], "an event that was cut off is none"


def events(*arrivals_and_stamps: tuple[float, str]) -> list[Event]:
    return [Event("task_update", at, {"timestamp": stamp}) for at, stamp in arrivals_and_stamps]


def test_events_that_a_proxy_holds_back_differ_from_those_that_come_as_they_are_sent() -> None:
    live = events((0.1, "2026-11-22T03:00:00.0+00:00"), (4.1, "2026-11-22T03:00:04.0+00:00"))
    assert chat.held_back(live) == pytest.approx(0)
    held = events((4.1, "2026-11-22T03:00:00.0Z"), (4.1, "2026-11-22T03:00:04.0Z"))
    assert chat.held_back(held) == pytest.approx(4)
    assert chat.held_back([Event("task_update", 1.0, {})]) == 0


def test_what_the_ui_asks_for_in_vain_has_a_reason_and_everything_else_is_a_fault() -> None:
    assert known.reason("GET /v1/daemon/status: net::ERR_CONNECTION_REFUSED", "v1.9.0")
    assert not known.reason("GET /api/v1/tasks: status 500", "v1.9.0")
    assert not known.reason("GET /api/v1/memory/graph: status 502", "")
    anew = "Error: Minified React error #418; visit https://react.dev/errors/418?args[]=text&args[]= for the"
    assert known.reason(anew, "v1.7.0")
    assert not known.reason(anew, "v1.9.0")


def test_weights_that_a_disk_has_damaged_are_named_with_what_brings_them_back() -> None:
    whole = '{"bytes": 253000000, "damaged": []}'
    assert inside.whole_weights(whole) == "253 MB, as their digests say"
    with pytest.raises(NotSo) as found:
        inside.whole_weights('{"bytes": 9, "damaged": ["/m/blobs/sha256-a"]}')
    remedy = "rm -f /m/blobs/sha256-a\non the host; then deploy/venom.py pulls it again"
    assert str(found.value) == f"damaged\n{remedy}"


def results(checks: Sequence[Check]) -> dict[str, str]:
    return {it.item: it.result for it in checklist(checks)}


def test_a_line_of_the_checklist_fails_with_one_of_its_checks() -> None:
    chat = [check("ui.chat"), check("budget.ui_chat_seconds")]
    lines = results([check("units.ui"), check("health.ui", "failed"), *chat])
    assert lines[LINES[0][0]] == "failed"
    assert lines["Chat latency is below its budget (15 s)"] == "passed"


def test_a_line_does_not_pass_without_what_it_is_about() -> None:
    lines = results([check("api.chat", "skipped"), check("onnx.not-imported")])
    assert lines["Demo chat on Gemma 3 without ONNX"] == "skipped"


def test_a_host_is_reported_with_the_vram_tier_of_its_model() -> None:
    host = HostAcceptance("gpu1", "192.0.2.1", "passed", serves="Venom v1.9.0, profile llm_off")
    shown = click.unstyle(table.host_table(host))
    assert shown == "gpu1 (192.0.2.1): passed\n  Venom v1.9.0, profile llm_off"
    with_model = replace(host, vram_tier="low-vram-8-12gb")
    assert click.unstyle(table.host_table(with_model)) == f"{shown}\n  VRAM tier low-vram-8-12gb"


def test_the_end_names_what_failed_and_where_the_report_lies() -> None:
    checks = (check("plan.applied", "failed"), check("ui.chat"))
    hosts = (
        HostAcceptance("gpu1", "192.0.2.1", "failed", checks=checks, checklist=checklist(checks)),
        HostAcceptance("gpu2", "192.0.2.2", "unreached", serves="was never provisioned"),
    )
    fleet = Acceptance("2026-11-22T03:10:00Z", "ada@desk", "office.yaml", hosts)
    shown = click.unstyle(table.ending(fleet, {"report": "x"}))
    assert "gpu1: failed" in shown
    assert "failed   plan.applied: found" in shown
    assert "was never provisioned" in shown
    assert shown.endswith("not accepted\nreport   x")
