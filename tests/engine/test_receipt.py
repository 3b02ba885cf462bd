"""A receipt is read in today's names, whichever version of ours wrote it."""

from __future__ import annotations

from typing import Any

import pytest
from typeguard import TypeCheckError

from engine.receipt import applied_by, check_receipt
from schemas.plan.compare import changes
from schemas.plan.show import to_dict
from tests.roles.plans import plan


def former() -> dict[str, Any]:
    """The plan as a receipt had it when its VRAM tier was called `tier`, and had no upper limit."""
    applied = to_dict(plan())
    tier = applied.pop("vram_tier")
    return {**applied, "tier": {name: it for name, it in tier.items() if name != "max_vram_bytes"}}


def test_a_receipt_of_a_former_version_shows_no_change_where_there_is_none() -> None:
    receipt = {"generation": "g1", "applied": {"plan": former(), "release": "r"}}
    check_receipt(receipt)
    assert changes(applied_by(receipt)["plan"], to_dict(plan())) == {}


def test_a_receipt_of_a_former_version_shows_a_change_in_todays_names() -> None:
    was = former()
    was["tier"]["name"] = "low-vram-8-12gb"
    was["requirements"]["tier"] = "web"
    assert changes(applied_by({"applied": {"plan": was}})["plan"], to_dict(plan())) == {
        "requirements.tier": "web -> api",
        "vram_tier.name": "low-vram-8-12gb -> balanced-12-24gb",
    }


@pytest.mark.parametrize("name", ["tier", "vram_tier"])
def test_a_vram_tier_of_another_form_is_no_receipt(name: str) -> None:
    with pytest.raises(TypeCheckError):
        check_receipt({"applied": {"plan": {name: "balanced-12-24gb"}}})


def test_where_nothing_was_applied_there_is_no_plan() -> None:
    assert applied_by({}) == applied_by({"applied": {}}) == {"plan": {}}
