"""What the inventory may say of the door, and what is refused with which words."""

from __future__ import annotations

import pytest

from schemas.plan.host import assumed_hardware, plan_host
from schemas.plan.show import describe, to_dict
from tests.schemas.conftest import Host, Refuse

LAN = "door: {exposure: lan, allow_from: [192.168.1.0/24]}"


def _door(settings: str) -> str:
    lines = "".join(f"    {line}\n" for line in settings.splitlines())
    return f"hosts:\n  box:\n    address: 192.0.2.1\n{lines}"


def test_a_host_that_says_nothing_opens_to_itself_only(host: Host) -> None:
    door = host().door
    assert (door.exposure, door.allow_from, door.port, door.tls) == ("loopback", (), 80, "none")
    assert door.names == ("box", "192.0.2.1", "localhost", "127.0.0.1", "::1")
    assert (door.runtime_control, door.firewall, door.ollama, dict(door.users)) == (False, False, None, {})


def test_networks_are_merged_and_names_are_as_a_browser_sends_them(host: Host) -> None:
    door = host(
        "door: {exposure: lan, tls: self-made, names: [Venom.Example.org],\n"
        "  allow_from: [10.0.0.0/25, 10.0.0.128/25, 10.0.0.7, 'fd00:1::/64']}"
    ).door
    assert door.allow_from == ("10.0.0.0/24", "fd00:1::/64")
    assert "venom.example.org" in door.names
    assert door.port == 443


@pytest.mark.parametrize(
    ("settings", "found", "allowed", "hint"),
    [
        ("door: {exposure: lan}", "lan without allow_from", "lan with allow_from", "192.168.1.0/24"),
        (
            "door: {exposure: lan, allow_from: [192.168.1.7/24]}",
            "192.168.1.7/24",
            "a network",
            "192.168.1.0/24?",
        ),
        ("door: {exposure: lan, allow_from: [300.1.1.0/24]}", "300.1.1.0/24", "a network", "such as"),
        ("door: {exposure: lan, allow_from: [0.0.0.0/0]}", "the Internet: 0.0.0.0/0", "own", "door.users"),
        ("door: {exposure: lan, allow_from: [0.0.0.0/1, 128.0.0.0/1]}", "the Internet", "own", "door.users"),
        ("door: {exposure: lan, allow_from: ['::/0']}", "the Internet: ::/0", "own", "door.users"),
        ("door: {exposure: lan, allow_from: ['2000::/3']}", "the Internet", "own", "door.users"),
        ("door: {tls: own}", "own without certificate and key", "own with", "self-made"),
        ("door: {tls: off}", "off", "none, self-made, own", "write none"),
        ("door: {port: 8000}", "8000, which ports.backend has too", "a port of its own", ""),
        ("door: {port: 22}", "22, which ssh.port has too", "a port of its own", ""),
        ("door: {users: {ada: geheim}}", "not shown", "env:NAME, file:PATH", ""),
        ("door: {users: {'a:b': env:X}}", 'the name "a:b"', "a user name", ""),
        ("door: {ollama: {port: 11435}}", "nothing", "needs allow_from", ""),
        ("door: {port: 11435, ollama: {allow_from: [10.0.0.1]}}", "11435, which door.port has", "own", ""),
        ("profile: llm_off\ndoor: {ollama: {allow_from: [10.0.0.1]}}", "which has none", "nothing", "light"),
        ("door: {ollama: {allow_from: [0.0.0.0/0]}}", "the Internet", "own", "door.users"),
    ],
)
def test_what_cannot_be_is_refused_once_with_a_remedy(
    refused: Refuse, settings: str, found: str, allowed: str, hint: str
) -> None:
    (problem,) = refused(_door(settings))
    assert found in problem.found
    assert allowed in problem.allowed
    assert hint in problem.hint
    assert problem.path.startswith("hosts.box.door")
    assert problem.line >= 4
    assert "geheim" not in str(problem)


def test_the_internet_may_come_in_where_the_door_asks_for_a_password(host: Host) -> None:
    settings = "door: {exposure: lan, allow_from: [0.0.0.0/0], users: {ada: env:ADA}}"
    assert host(settings, {"ADA": "$6$…"}).door.allow_from == ("0.0.0.0/0",)


def test_references_of_the_door_must_lead_somewhere(refused: Refuse) -> None:
    problems = refused(
        _door("door: {tls: own, certificate: none.pem, key: file:none.key, users: {ada: env:ADA}}")
    )
    assert [it.path.rpartition("door.")[2] for it in problems] == ["certificate", "key", "users.ada"]


def test_the_plan_shows_the_door_and_of_secrets_references_only(host: Host) -> None:
    declared = host(
        "door: {exposure: lan, allow_from: [10.0.0.0/8], users: {ada: env:ADA}}", {"ADA": "$6$marker"}
    )
    plan = plan_host(declared, assumed_hardware(declared))
    shown = describe(plan)
    assert "http, port 80, for the host itself and 10.0.0.0/8" in shown
    assert "user ada=env:ADA" in shown
    assert "marker" not in shown + str(to_dict(plan)) + str(declared.to_json())


def test_what_has_no_effect_is_reported(host: Host) -> None:
    declared = host("door: {allow_from: [10.0.0.0/8]}")
    plan = plan_host(declared, assumed_hardware(declared))
    assert plan.door.allow_from == ()
    assert "door.allow_from concerns only exposure: lan: no effect here" in plan.notes
