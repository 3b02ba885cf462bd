"""What Venom is packed into (`artifacts.yaml`) as typed data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from schemas.reading.document import read

_PATH = Path(__file__).with_name("artifacts.yaml")


@dataclass(frozen=True)
class Variant:
    """One package, the same for every profile that may run from it."""

    name: str
    meaning: str
    pl: str
    kind: str  # class of the dependency matrix
    holds: tuple[str, ...]
    tiers: tuple[str, ...]  # of the requirements, the base first; empty: no Python packages
    profiles: tuple[str, ...]
    start: tuple[str, ...]
    budget_mb: int | None  # None: not measured

    def lock(self, release: str, python: str, arch: str) -> str:
        """Its lock below schemas/data, e.g. locks/v1.9.0/api-py3.12-amd64.txt; empty: it needs none."""
        return f"locks/{release}/{'+'.join(self.tiers)}-py{python}-{arch}.txt" if self.tiers else ""


@cache
def variants() -> dict[str, Variant]:
    """The packages by name."""
    data: dict[str, Any] = read(_PATH).data["variants"]
    return {name: _variant(name, entry) for name, entry in data.items()}


def _variant(name: str, entry: dict[str, Any]) -> Variant:
    requirements = entry["requirements"]
    return Variant(
        name=name,
        meaning=entry["meaning"],
        pl=entry["pl"],
        kind=entry["class"],
        holds=tuple(entry["holds"]),
        tiers=(requirements["tier"], *requirements["extras"]) if requirements else (),
        profiles=tuple(entry["profiles"]),
        start=tuple(entry["start"]),
        budget_mb=entry["budget_mb"],
    )
