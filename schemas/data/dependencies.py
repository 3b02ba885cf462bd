"""The dependency matrix (`dependencies.yaml`) as typed data."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from schemas.reading.document import read

PATH = Path(__file__).with_name("dependencies.yaml")
EXCLUDED = "excluded-from-light"


@dataclass(frozen=True)
class Package:
    """What is decided of one package, or of all whose names begin so (`name` ends with *)."""

    name: str
    kind: str  # the contract's class
    decision: str  # required, optional, excluded-from-light
    why: str
    imports: tuple[str, ...]
    add: str  # a requirement; empty: it is no package that start-up may ask for


@dataclass(frozen=True)
class Implied:
    """Whoever uses one of these names of `module` at import needs another package."""

    module: str
    names: frozenset[str]
    needs: str


@dataclass(frozen=True)
class Constraint:
    """A bound of a resolution with `tier` that the files of that lack."""

    tier: str
    requirement: str
    why: str


@dataclass(frozen=True)
class Matrix:
    """The whole matrix."""

    packages: Mapping[str, Package]
    implied: tuple[Implied, ...]
    constraints: tuple[Constraint, ...]
    exclusive: tuple[tuple[str, ...], ...]  # packages of which an environment has one at most
    started_with: tuple[str, ...]

    def of(self, distribution: str) -> Package | None:
        """What is decided of a package, or None where nothing is."""
        name = canonicalize_name(distribution)
        if name in self.packages:
            return self.packages[name]
        return next((it for it in self._patterns if fnmatchcase(name, it.name)), None)

    def constrains(self, tiers: Container[str]) -> dict[str, str]:
        """The bounds of a resolution with these tiers, each with why."""
        return {it.requirement: it.why for it in self.constraints if it.tier in tiers}

    def distribution(self, module: str) -> str | None:
        """The package that brings a module ("PIL.Image" → "pillow"), or None where none is known to."""
        parts = module.split(".")
        dotted = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
        return next((self.imports[name] for name in dotted if name in self.imports), None)

    @cached_property
    def imports(self) -> dict[str, str]:
        """Name of import → package."""
        return {name: it.name.rstrip("*-") for it in self.packages.values() for name in it.imports}

    @property
    def excluded(self) -> list[str]:
        """Names of import that a light process must not have."""
        return sorted(n for it in self.packages.values() if it.decision == EXCLUDED for n in it.imports)

    @cached_property
    def _patterns(self) -> list[Package]:
        return [it for it in self.packages.values() if it.name.endswith("*")]


@cache
def matrix() -> Matrix:
    """The matrix that this version of the provisioner decides by."""
    data: dict[str, Any] = read(PATH).data
    return Matrix(
        packages={name: _package(name, entry) for name, entry in data["packages"].items()},
        implied=tuple(Implied(it["module"], frozenset(it["names"]), it["needs"]) for it in data["implied"]),
        constraints=tuple(Constraint(**it) for it in data["constraints"]),
        exclusive=tuple(map(tuple, data["exclusive"])),
        started_with=tuple(data["started_with"]),
    )


def _package(name: str, entry: dict[str, Any]) -> Package:
    own = () if name.endswith("*") else (name.replace("-", "_"),)
    return Package(
        name=name,
        kind=entry["class"],
        decision=entry["decision"],
        why=entry["why"],
        imports=tuple(entry.get("imports", own)),
        add=entry.get("add", ""),
    )
