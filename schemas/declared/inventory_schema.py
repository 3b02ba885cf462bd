"""What the inventory's schema has of the contract: enums and defaults, written into its file by `fill`.

The file spells them out, because editors complete and check an inventory by it. Nobody keeps them in step by
hand: `python -m schemas --schema` does, and a test compares.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from schemas.data.contract import contract
from schemas.data.systems import architectures
from schemas.reading.validate import schema

_FILE = Path(__file__).parents[1] / "inventory.schema.json"
_AUTO = "auto"  # a VRAM tier besides the contract's: that of the host's card


def fill() -> None:
    """Bring the file in step."""
    _FILE.write_text(filled(), encoding="utf-8")


def filled() -> str:
    """The inventory's schema as its file is to be, with what the contract and the systems say now."""
    whole = deepcopy(schema("inventory"))
    for path, value in _values().items():
        _put(whole["$defs"], path, value)
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _values() -> Mapping[str, Any]:
    """Where below `$defs` a value goes, and the value; None: there must be none."""
    known = contract()
    door = known.door
    # Each profile that says nothing else has the same one, or there is no default to show.
    tiers = {it.requirements for it in known.profiles.values()}
    figures = schema("inventory")["$defs"]["budgets"]["properties"]
    return {
        "arch.enum": list(architectures()),
        "arch.default": known.arch,
        "profile.enum": list(known.profiles),
        "profile.default": known.profile,
        "vram_tier.enum": [*known.vram_tiers, _AUTO],
        "vram_tier.default": known.vram_tier,
        "model.default": known.model,
        "venom.properties.release.default": known.release,
        "venom.properties.like.default": known.release,
        "requirements.properties.tier.enum": list(known.requirements),
        "requirements.properties.tier.default": tiers.pop() if len(tiers) == 1 else None,
        "requirements.properties.extras.items.enum": list(known.requirements),
        **{f"ports.properties.{name}.default": port for name, port in known.ports.items()},
        "door.properties.exposure.default": door.exposure,
        "door.properties.tls.default": door.tls,
        "door.properties.runtime_control.default": door.runtime_control,
        "door.properties.firewall.default": door.firewall,
        "door.properties.ollama.properties.port.default": door.ollama_port,
        "store.properties.port.default": known.store_port,
        "ready_timeout.default": known.ready_timeout,
        "keep_generations.default": known.keep_generations,
        **{f"budgets.properties.{name}.default": known.budgets.get(name) for name in figures},
    }


def _put(into: dict[str, Any], path: str, value: Any) -> None:
    """Set what is at a dotted path, in its place; or take it away."""
    *way, last = path.split(".")
    for key in way:
        into = into[key]
    if value is None:
        into.pop(last, None)
    else:
        into[last] = value
