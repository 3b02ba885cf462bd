"""How what is to be applied differs from what was, for people who want to know what a change means. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.declared.declaration import declared_changes

# What follows from a version, a VRAM tier or a model that is listed.
_IMPLIED = {"artifact", "max_vram_bytes", "min_driver", "min_vram_bytes", "need", "uv"}


@dataclass(frozen=True)
class Changes:
    """What differs between two that were applied, or are to be: dotted setting → "old -> new"."""

    declared: Mapping[str, str]  # of the inventory, in its schema's order; empty where it says the same
    plan: Mapping[str, str]  # of the plan

    @property
    def following(self) -> list[str]:
        """The values of the plan that the inventory's changes do not name already, where there are any."""
        return [name for name in self.plan if name not in self.declared] if self.declared else []


def applied_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """How two differ that have a `plan`, and a `declaration` unless a former version of ours wrote it."""
    both = "declaration" in before and "declaration" in after
    declared = declared_changes(before["declaration"], after["declaration"]) if both else {}
    return Changes(declared, changes(before["plan"], after["plan"]))


def follow(count: int) -> str:
    """The line for so many values of a plan that change with what the inventory says."""
    return f"and {count} value{'' if count == 1 else 's'} of the plan follow{'s' if count == 1 else ''}"


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
