"""A receipt: its form, and what it says was applied, in today's names whichever version of ours wrote it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from engine.answers import formed, known


class _Image(TypedDict):
    name: str
    sha256: str


class _Plan(TypedDict, total=False):
    """What is read of the plan in a receipt; how it differs from another is shown whatever it is."""

    profile: str
    vram_tier: dict[str, Any] | None
    model: dict[str, Any] | None
    images: dict[str, dict[str, Any]] | None


class _Receipt(TypedDict, total=False):
    """What is read of a receipt."""

    generation: str
    at: str
    by: str
    applied: dict[str, Any]


# What a plan's settings were called when former versions wrote their receipts.
_FORMER_NAMES = {"tier": "vram_tier"}


def applied_by(receipt: Mapping[str, Any]) -> dict[str, Any]:
    """What was applied: its `plan` in the names of `schemas.plan.show.to_dict`, empty where nothing was.

    A `declaration` is there unless a former version wrote the receipt.
    """
    applied = receipt.get("applied", {})
    plan = {_FORMER_NAMES.get(name, name): value for name, value in applied.get("plan", {}).items()}
    return {**applied, "plan": plan}


def images_in(plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The images of a plan as data: Venom's two, and that of any service that runs from one."""
    services = (it.get("image") for it in plan.values() if isinstance(it, Mapping))
    return [it for it in (*(plan.get("images") or {}).values(), *services) if it]


def check_receipt(receipt: Mapping[str, Any]) -> None:
    """Raise TypeCheckError or KeyError where what is read of a receipt has another form. It may lack all."""
    formed(known(receipt, _Receipt), _Receipt)
    for part in ("plan", "declaration"):
        formed(receipt.get("applied", {}).get(part, {}), dict[str, Any])
    plan = formed(known(applied_by(receipt)["plan"], _Plan), _Plan)
    for setting in (plan.get("model"), plan.get("vram_tier")):
        if setting:
            formed(setting["name"], str)
    for it in images_in(applied_by(receipt)["plan"]):
        formed(known(it, _Image), _Image)
