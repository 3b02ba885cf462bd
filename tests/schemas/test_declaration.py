"""What the inventory says of a host is kept in its own words: flat, in order, and without a secret."""

from __future__ import annotations

import json

import pytest

from schemas.declared.declaration import declaration, declared_changes
from tests.schemas.conftest import Host, Load


def test_what_is_inherited_is_there_and_what_nobody_wrote_is_not(loaded: Load) -> None:
    inventory = loaded("""\
        defaults:
          ports: {ui: 3100, backend: 8100}
        groups:
          small: {vram_tier: low-vram-8-12gb}
        hosts:
          box:
            address: 192.0.2.1
            groups: [small]
            ports: {ui: 3200}
            environment: {NEXT_PUBLIC_ENV: staging}
    """)
    assert declaration(inventory.host("box")) == {
        "vram_tier": "low-vram-8-12gb",
        "ports.backend": 8100,
        "ports.ui": 3200,
        "environment.NEXT_PUBLIC_ENV": "staging",
    }


def test_it_stands_in_the_order_of_the_schema_whatever_the_order_of_the_file(host: Host) -> None:
    declared = declaration(host("ready_timeout: 60\nports: {ui: 3100}\nmodel: gemma3:4b\nprofile: light"))
    assert list(declared) == ["profile", "model", "ports.ui", "ready_timeout"]


def test_how_a_host_is_reached_and_judged_is_no_part_of_it(host: Host) -> None:
    assert declaration(host("ssh: {user: ada, port: 2222}\nbudgets: {chat_seconds: 9}")) == {}


def test_secrets_are_references_and_commands_have_no_arguments(host: Host) -> None:
    declared = declaration(
        host(
            """
            door:
              users: {ada: env:ADA}
              tls: none
              key: "command:printf marker"
            secrets: {OPENAI_API_KEY: "command:printf marker"}
            proxy: {url: "http://192.0.2.9:3128", credentials: env:WAY_OUT}
            """,
            {"ADA": "$6$marker$marker", "WAY_OUT": "marker:marker"},
        )
    )
    assert declared["door.users.ada"] == "env:ADA"
    assert declared["door.key"] == declared["secrets.OPENAI_API_KEY"] == "command:printf …"
    assert declared["proxy.credentials"] == "env:WAY_OUT"
    assert "marker" not in json.dumps(declared)


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        ({}, {"vram_tier": "balanced-12-24gb"}, {}),
        ({"ports.ui": 3000}, {}, {}),
        ({"environment.A": 5}, {"environment.A": "5"}, {}),
        ({}, {"door.firewall": True}, {"door.firewall": "false (default) -> true"}),
        ({"door.names": ["a"]}, {"door.names": ["a", "b"]}, {"door.names": "a -> a, b"}),
        ({"environment.A": "1"}, {}, {"environment.A": "1 -> none"}),
        # A tree is no release besides: the default of one choice is not meant beside another.
        ({"venom.release": "v1.6.0"}, {"venom.tree": "../venom"},
         {"venom.release": "v1.6.0 -> none", "venom.tree": "none -> ../venom"}),
        ({"venom.release": "v1.6.0"}, {}, {"venom.release": "v1.6.0 -> v1.9.0 (default)"}),
        ({}, {"door.ollama.allow_from": ["fe80::/10"]}, {"door.ollama.allow_from": "none -> fe80::/10"}),
        ({"a.former.setting": 1}, {}, {"a.former.setting": "1 -> none"}),
    ],
)  # fmt: skip
def test_two_differ_by_what_one_wrote(
    before: dict[str, object], after: dict[str, object], changes: dict[str, str]
) -> None:
    assert declared_changes(before, after) == changes
