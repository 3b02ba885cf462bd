"""Venom's images in a plan: where each can be pulled from, and what has no effect beside them."""

from __future__ import annotations

from schemas.data.contract import contract
from schemas.declared.host import DeclaredHost
from schemas.model import VenomImages
from schemas.plan.sources import image_of

# What an image was made with: it cannot be chosen when it is run.
_HELD = ("python", "node")


def venom_images(declared: DeclaredHost, notes: list[str]) -> VenomImages | None:
    """The two images; None where the host makes Venom of its source."""
    found, version = declared.images, declared.source.release
    if not found:
        return None
    _effectless(declared, notes)
    return VenomImages(*(image_of(declared, it, version, found[it]) for it in ("backend", "frontend")))


def _effectless(declared: DeclaredHost, notes: list[str]) -> None:
    """Notes for what is declared, and what only those who made the images could have heeded."""
    from_images = declared.settings.get("venom", "images", default={})
    held = (*_HELD, *(("requirements",) if "backend" in from_images else ()))
    notes += [f"{key} is declared, but the image has its own" for key in held if declared.settings.own(key)]
    variables = contract().variables
    notes += [
        f"{name} is compiled into the UI's image: the declared value reaches only its server"
        for name in declared.environment
        if "ui-build" in variables[name].scope
    ]
    if declared.ports["backend"] != contract().ports["backend"]:
        notes.append("the UI's image was built for the backend's port 8000: only the door uses another")
