"""What a host reports of itself is asked for in the inventory, and is no part of a plan without it."""

from __future__ import annotations

from schemas.model import Metrics
from schemas.plan.host import describe, plan_host, to_dict
from tests.schemas.conftest import Host, Refuse, cpu


def test_a_host_reports_nothing_unless_it_is_asked_to(host: Host) -> None:
    for settings in ("", "metrics: {}", "metrics: {textfile: false}"):
        plan = plan_host(host(settings), cpu(16))
        assert plan.metrics is None
        assert "metrics" not in to_dict(plan), "such a plan is the same as before there were any"


def test_the_plan_says_what_it_reports(host: Host) -> None:
    plan = plan_host(host("metrics: {textfile: true}"), cpu(16))
    assert plan.metrics == Metrics(speed=False)
    assert "metrics    once a minute in a file for node-exporter\n" in describe(plan)
    plan = plan_host(host("metrics: {textfile: true, speed: true}"), cpu(16))
    assert to_dict(plan)["metrics"] == {"speed": True}
    assert "a file for node-exporter, and how fast the model answers\n" in describe(plan)


def test_the_speed_alone_would_be_written_nowhere(refused: Refuse) -> None:
    (problem,) = refused("hosts: {box: {address: 192.0.2.1, metrics: {speed: true}}}\n")
    assert (problem.path, problem.found, problem.hint) == (
        "hosts.box.metrics.speed",
        "speed without textfile",
        "add textfile: true",
    )
