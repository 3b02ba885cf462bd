"""The fleet's store in an inventory: who serves it, who asks it first, and what it is refused for."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from schemas.declared.declaration import declaration
from schemas.inventory import Inventory
from schemas.model import HostPlan, Peer, ServedStore, Store
from schemas.plan.host import assumed_hardware, describe, plan_host, to_dict
from schemas.plan.items import Read, items
from tests.schemas.conftest import Host, Load, Refuse, card

FLEET = """\
defaults:
  store: {host: one, allow_from: [192.0.2.0/24, 192.0.2.128/25]}
hosts:
  one: {address: 192.0.2.1}
  two: {address: 192.0.2.2, internet: false}
"""
A = "a" * 64


def _plan(inventory: Inventory, name: str) -> HostPlan:
    declared = inventory.host(name)
    return plan_host(declared, assumed_hardware(declared))


def test_a_plan_names_the_store_as_the_first_place_of_each_file_and_upstream_as_the_last(
    loaded: Load,
) -> None:
    fleet = loaded(FLEET.replace("hosts:", "  mirrors: {files: ['http://mirror.example.org']}\nhosts:"))
    one, two = _plan(fleet, "one"), _plan(fleet, "two")
    path = f"nodejs.org/dist/v{one.node.version}/{one.node.artifact.filename}"
    assert one.node.artifact.urls == (
        f"http://127.0.0.1:8800/files/{path}",
        f"http://mirror.example.org/{path}",
        f"https://{path}",
    )
    assert two.node.artifact.urls == (
        f"http://192.0.2.1:8800/files/{path}",
        f"http://mirror.example.org/{path}",
    ), "a host without the Internet has no place there"


def test_the_host_that_is_named_serves_it_and_the_others_only_ask(loaded: Load) -> None:
    fleet = loaded(FLEET)
    assert _plan(fleet, "one").serves_store == ServedStore(8800, ("192.0.2.0/24",))
    assert _plan(fleet, "two").serves_store is None
    assert _plan(fleet, "two").store == Store("http://192.0.2.1:8800", closed=True)
    assert "store      http://192.0.2.1:8800, without the Internet" in describe(_plan(fleet, "two"))
    assert "served here, port 8800, for the host itself and 192.0.2.0/24" in describe(_plan(fleet, "one"))


def test_a_host_may_serve_what_it_does_not_ask_itself(loaded: Load) -> None:
    fleet = loaded(
        """
        hosts:
          one: {address: "2001:db8::1"}
          two: {address: 192.0.2.2, store: {host: one, port: 8900, allow_from: ["2001:db8::/64"]}}
        """
    )
    one, two = _plan(fleet, "one"), _plan(fleet, "two")
    assert (one.store, one.serves_store) == (None, ServedStore(8900, ("2001:db8::/64",)))
    assert two.store == Store("http://[2001:db8::1]:8900", closed=False)


def test_hosts_that_ask_a_store_pass_on_what_is_large_where_the_inventory_says_so(loaded: Load) -> None:
    fleet = loaded(FLEET.replace("128/25]}", "128/25], peers: true}"))
    assert _plan(fleet, "one").peer is None, "it serves the store"
    assert _plan(fleet, "two").peer == Peer(8800, ("192.0.2.0/24",), "http://192.0.2.2:8800")
    assert "passed on to 192.0.2.0/24, port 8800: large contents" in describe(_plan(fleet, "two"))
    assert _plan(loaded(FLEET), "two").peer is None
    without_model = FLEET.replace("128/25]}", "128/25], peers: true}\n  profile: llm_off")
    assert _plan(loaded(without_model), "two").peer is None, "it has nothing large"


def test_a_store_that_exists_already_is_asked_by_its_address(host: Host) -> None:
    plan = plan_host(host("store: {url: 'http://store.example.org:8800/'}"), card(16))
    assert plan.store == Store("http://store.example.org:8800", closed=False)
    assert plan.serves_store is None


def test_images_come_from_the_store_first_and_from_nowhere_else_without_the_internet(host: Host) -> None:
    image = f"docker.io/ollama/ollama@sha256:{A}"
    settings = (
        f"ollama: {{install: image, version: '0.24.0', image: '{image}'}}\n"
        "store: {url: 'http://store.example.org:8800'}\n"
    )
    plan = plan_host(host(settings), card(16))
    own = f"http://store.example.org:8800/ollama/ollama@sha256:{A}"
    assert plan.ollama
    assert plan.ollama.image
    assert plan.ollama.image.places == (own, f"https://{image}")
    closed = plan_host(host(f"{settings}internet: false"), card(16))
    assert closed.ollama
    assert closed.ollama.image
    assert closed.ollama.image.places == (own,)


def test_a_plan_without_a_store_says_nothing_of_one(host: Host) -> None:
    declared = host("profile: llm_off")
    text = json.dumps([to_dict(plan_host(declared, card(16))), declaration(declared)])
    assert "store" not in text.replace("restore", "")
    assert "internet" not in text


def test_a_store_changes_where_things_come_from_and_nothing_that_is_applied(loaded: Load) -> None:
    plain = to_dict(_plan(loaded("hosts:\n  two: {address: 192.0.2.2}\n"), "two"))
    stored = to_dict(_plan(loaded(FLEET.replace(", internet: false", "")), "two"))
    differing = {name for name in stored if stored[name] != plain.get(name)}
    assert differing == {"store", "python", "node", "ollama"}
    for name in ("python", "node", "ollama"):
        stored[name]["artifact"].pop("urls"), plain[name]["artifact"].pop("urls")
        assert stored[name] == plain[name]


def test_what_is_needed_is_the_same_with_a_store_and_without(loaded: Load) -> None:
    declared = loaded(FLEET).host("two")
    alone = replace(declared, store=None)
    plans = [plan_host(it, assumed_hardware(it)) for it in (declared, alone)]
    with_store, without = (items(it, declared.pins, Read()) for it in plans)
    assert [(it.name, it.digests) for it in with_store] == [(it.name, it.digests) for it in without]


@pytest.mark.parametrize(
    ("inventory", "path", "found", "allowed", "hint"),
    [
        (
            "hosts:\n  gpu1: {address: 192.0.2.1, store: {host: gpu2, allow_from: [192.0.2.0/24]}}\n",
            "hosts.gpu1.store.host",
            '"gpu2"',
            "gpu1",
            'did you mean "gpu1"?',
        ),
        (
            "defaults: {store: {host: one}}\nhosts:\n  one: {address: 192.0.2.1}\n",
            "defaults.store",
            "host without allow_from",
            "host with allow_from",
            "name the networks of the fleet, e.g. allow_from: [192.168.1.0/24]",
        ),
        (
            "defaults: {store: {host: one, allow_from: [0.0.0.0/0]}}\nhosts:\n  one: {address: 192.0.2.1}\n",
            "defaults.store.allow_from",
            "the Internet: 0.0.0.0/0",
            "networks of your own",
            "name the networks that you mean",
        ),
        (
            "defaults: {store: {}}\nhosts:\n  one: {address: 192.0.2.1}\n",
            "defaults.store",
            "neither host nor url",
            "one of the two",
            "host: one of this inventory serves it; url: it exists already",
        ),
        (
            "defaults: {store: {host: one, url: 'http://x'}}\nhosts:\n  one: {address: 192.0.2.1}\n",
            "defaults.store",
            "both host and url",
            "one of the two",
            "host: one of this inventory serves it; url: it exists already",
        ),
        (
            "defaults: {store: {url: 'http://x', port: 8801}}\nhosts:\n  one: {address: 192.0.2.1}\n",
            "defaults.store.port",
            "port of a store that exists already",
            "port with host",
            "remove port",
        ),
        (
            "defaults: {store: {host: one, port: 8801, allow_from: [192.0.2.0/24], peers: true}}\n"
            "hosts:\n  one: {address: 192.0.2.1}\n  two: {address: 192.0.2.2, ports: {ui: 8801}}\n",
            "defaults.store.port",
            "8801, which ports.ui of two has too",
            "a port of its own",
            "",
        ),
        (
            "hosts:\n  one: {address: 192.0.2.1, internet: false}\n",
            "hosts.one.internet",
            "false without a store",
            "false with a store",
            "name a host that serves one: store: {host: …, allow_from: […]}",
        ),
        (
            "defaults: {store: {host: one, port: 8000, allow_from: [192.0.2.0/24]}}\n"
            "hosts:\n  one: {address: 192.0.2.1}\n",
            "defaults.store.port",
            "8000, which ports.backend of one has too",
            "a port of its own",
            "",
        ),
        (
            "defaults: {store: {host: one, allow_from: [192.0.2.0/24]}}\n"
            "hosts:\n  one: {address: '@local'}\n  two: {address: 192.0.2.2}\n",
            "defaults.store.host",
            "one, whose address is @local: no other host reaches that",
            "a host with an address of its own",
            "",
        ),
        (
            "defaults: {store: {host: one, allow_from: [192.0.2.0/24]}}\n"
            "hosts:\n  one: {address: 192.0.2.1}\n"
            "  two: {address: 192.0.2.2, store: {host: one, allow_from: [192.0.2.0/25]}}\n",
            "hosts.two.store",
            "another port, or other networks, for the store of one than one has",
            "one declaration for a store",
            "write store once, under defaults or a group",
        ),
    ],
)
def test_a_store_that_cannot_be_is_refused(
    refused: Refuse, inventory: str, path: str, found: str, allowed: str, hint: str
) -> None:
    (problem,) = refused(inventory)
    assert (problem.path, problem.found, problem.allowed, problem.hint) == (path, found, allowed, hint)
