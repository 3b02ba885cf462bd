"""Hosts that pull: what the inventory says of them, and what it may not."""

from __future__ import annotations

import pytest

from schemas.declared.pull import seconds
from schemas.model import Pull, Puller
from schemas.plan.host import assumed_hardware, plan_host, to_dict
from tests.schemas.conftest import Load, Refuse

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGvF"
STORE = "store: {host: one, allow_from: [192.0.2.0/24]}"
FLEET = f"""\
defaults:
  {STORE}
  pull: {{signers: ["{KEY} ada@desk"]}}
hosts:
  one: {{address: 192.0.2.1}}
  two: {{address: 192.0.2.2}}
  three: {{address: three.example.org, pull: {{every: 15min, signers: ["{KEY}"]}}}}
"""


def test_a_host_pulls_once_an_hour_and_the_comment_of_a_key_is_no_part_of_its_plan(loaded: Load) -> None:
    inventory = loaded(FLEET)
    assert inventory.host("two").pull == Pull(3600, (KEY,))
    two = inventory.host("two")
    assert to_dict(plan_host(two, assumed_hardware(two)))["pull"] == {"every": 3600, "signers": [KEY]}


def test_the_stores_host_knows_who_reports_and_from_which_address_and_pulls_nothing_itself(
    loaded: Load,
) -> None:
    one = loaded(FLEET).host("one")
    assert one.pull is None
    assert one.serves_store
    assert one.serves_store.pullers == (Puller("two", "192.0.2.2", 3600), Puller("three", "", 900))


def test_a_store_of_which_nobody_pulls_is_the_same_as_before_anybody_could(loaded: Load) -> None:
    one = loaded(f"defaults: {{{STORE}}}\nhosts: {{one: {{address: 192.0.2.1}}}}\n").host("one")
    plan = to_dict(plan_host(one, assumed_hardware(one)))
    assert "pull" not in plan
    assert set(plan["serves_store"]) == {"port", "allow_from"}


def test_a_host_without_a_store_has_nothing_to_pull_from(refused: Refuse) -> None:
    (problem,) = refused(f'hosts: {{box: {{address: 192.0.2.1, pull: {{signers: ["{KEY}"]}}}}}}\n')
    assert (problem.path, problem.found, problem.allowed) == (
        "hosts.box.pull",
        "pull without a store",
        "pull with a store",
    )


@pytest.mark.parametrize(
    "written",
    [
        "{every: 1h}",
        "{signers: []}",
        "{signers: [id_ed25519.pub]}",
        f"{{every: 90s, signers: ['{KEY}']}}",
        f"{{every: 0h, signers: ['{KEY}']}}",
        "{signers: ['*']}",
    ],
)
def test_what_is_no_period_or_no_public_key_is_refused(refused: Refuse, written: str) -> None:
    problems = refused(f"hosts: {{one: {{address: 192.0.2.1, {STORE}, pull: {written}}}}}\n")
    assert all(it.path.startswith("hosts.one.pull") for it in problems)


def test_a_period_is_a_number_and_a_unit() -> None:
    assert [seconds(it) for it in ("15min", "2h", "1d")] == [900, 7200, 86400]
