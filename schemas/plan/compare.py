"""How two plans differ, setting by setting, for people who want to know what a change means. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What follows from a version, a tier or a model that is told.
_IMPLIED = {"artifact", "max_vram_bytes", "min_driver", "min_vram_bytes", "need", "uv"}


def changes(before: Mapping[str, Any], after: Mapping[str, Any], within: str = "") -> dict[str, str]:
    """Dotted setting → "old -> new" for each that differs between two plans, as `show.to_dict` has them."""
    found: dict[str, str] = {}
    for name in sorted({*before, *after} - _IMPLIED):
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found |= changes(old, new, f"{within}{name}.")
        elif old != new and not (_empty(old) and _empty(new)):
            found[f"{within}{name}"] = f"{_short(old)} -> {_short(new)}"
    return found


def _empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _short(value: Any) -> str:
    if _empty(value):
        return "none"
    if isinstance(value, Mapping):
        return str(value.get("version") or value.get("name") or f"{len(value)} values")
    if isinstance(value, list):
        return ", ".join(_short(it) for it in value)
    return str(value)
