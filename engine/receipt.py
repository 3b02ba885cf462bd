"""The form of a receipt: what status and look take from it, whatever else it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from engine.answers import formed, known


class _Image(TypedDict):
    name: str
    sha256: str


class _Plan(TypedDict, total=False):
    """What is told of the plan in a receipt; how it differs from another is told whatever it is."""

    profile: str
    model: dict[str, Any] | None
    images: dict[str, dict[str, Any]] | None
    ollama: dict[str, Any] | None


class _Receipt(TypedDict, total=False):
    """What is told of a receipt."""

    generation: str
    at: str
    by: str
    applied: dict[str, Any]


def check_receipt(receipt: Mapping[str, Any]) -> None:
    """Raise TypeCheckError or KeyError where what is told of a receipt has another form. It may lack all."""
    formed(known(receipt, _Receipt), _Receipt)
    applied = formed(receipt.get("applied", {}).get("plan", {}), dict[str, Any])
    plan = formed(known(applied, _Plan), _Plan)
    if model := plan.get("model"):
        formed(model["name"], str)
    images = [*(plan.get("images") or {}).values(), (plan.get("ollama") or {}).get("image")]
    for it in images:
        if it:
            formed(known(it, _Image), _Image)
