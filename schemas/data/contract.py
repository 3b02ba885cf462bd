"""The contract (`contract.yaml`) as typed data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from schemas.data.version import in_range
from schemas.model import VramTier
from schemas.reading.document import read

_PATH = Path(__file__).with_name("contract.yaml")
_GIB = 1024**3


@dataclass(frozen=True)
class Profile:
    """What runs, and which environment goes with it."""

    name: str
    meaning: str
    pl: str  # the same in Polish
    services: tuple[str, ...]
    must_not_run: tuple[str, ...]
    requirements: str
    environment: dict[str, str]
    allowed: dict[str, list[str]]
    ready: str

    def meaning_in(self, language: str) -> str:
        """The meaning in one language ("en", "pl")."""
        return self.pl if language == "pl" else self.meaning


@dataclass(frozen=True)
class RequirementTier:
    """A requirements tier, and the files that it means in each release."""

    name: str
    kind: str  # class of the dependency matrix
    meaning: str
    pl: str
    after: tuple[str, ...]
    files: dict[str, list[str]]

    def files_of(self, release: str) -> tuple[str, ...]:
        """The files in Venom's tree at `release` ("v1.9.0"); none where the tier does not exist."""
        for requires, files in self.files.items():
            if in_range(release, requires):
                return tuple(files)
        return ()

    def meaning_in(self, language: str) -> str:
        """The meaning in one language ("en", "pl")."""
        return self.pl if language == "pl" else self.meaning


@dataclass(frozen=True)
class Variable:
    """One name of the environment."""

    name: str
    type: str
    scope: tuple[str, ...]
    meaning: str
    pl: str
    default: str = ""
    values: tuple[str, ...] = ()
    minimum: float | None = None
    secret: bool = False
    since: str = ""
    until: str = ""
    optional: bool = False
    fixed_by: str = ""

    def meaning_in(self, language: str) -> str:
        """The meaning in one language ("en", "pl")."""
        return self.pl if language == "pl" else self.meaning


@dataclass(frozen=True)
class WithoutCard:
    """What a host without a card gets instead of its tier's values."""

    kv_cache_type: str
    num_parallel: int
    environment: dict[str, str]


@dataclass(frozen=True)
class DoorDefaults:
    """The door of a host that says nothing."""

    exposure: str
    tls: str
    runtime_control: str
    firewall: bool
    ollama_port: int  # where other machines may ask Ollama


@dataclass(frozen=True)
class Contract:
    """The whole contract."""

    profiles: dict[str, Profile]
    vram_tiers: dict[str, VramTier]  # from the smallest to the largest
    requirements: dict[str, RequirementTier]
    variables: dict[str, Variable]
    development: dict[str, str]  # environment that goes over the profile's
    cloud: tuple[tuple[str, dict[str, str]], ...]  # key → what it sets, the first that is given decides
    release: str  # the defaults of a host that says nothing
    arch: str
    profile: str
    vram_tier: str
    model: str
    ports: dict[str, int]
    ready_timeout: int  # of the backend, seconds
    keep_generations: int
    door: DoorDefaults
    backup_at: str  # hours and minutes of the host's clock
    backup_keep: dict[str, int]  # daily, weekly, monthly → how many backups
    store_port: int  # where a host serves the fleet's store
    main_memory_reserve: int  # bytes
    without_card: WithoutCard
    budgets: dict[str, float]  # figure → what it may be at most; the unit is in the name

    def settable(self) -> list[str]:
        """Names that `environment` may set."""
        return [name for name, variable in self.variables.items() if not variable.secret]

    def secret(self) -> list[str]:
        """Names that `secrets` may set."""
        return [name for name, variable in self.variables.items() if variable.secret]


@cache
def contract() -> Contract:
    """The contract that this version of the provisioner implements (docs/contract.md)."""
    data: dict[str, Any] = read(_PATH).data
    defaults = data["defaults"]
    return Contract(
        profiles={name: Profile(name=name, **_frozen(profile)) for name, profile in data["profiles"].items()},
        vram_tiers={name: _vram_tier(name, **tier) for name, tier in data["vram_tiers"].items()},
        requirements={
            name: RequirementTier(
                name, tier["class"], tier["meaning"], tier["pl"], tuple(tier.get("after", ())), tier["files"]
            )
            for name, tier in data["requirements"].items()
        },
        variables={
            name: Variable(name=name, **_frozen(variable)) for name, variable in data["environment"].items()
        },
        development=data["development"]["environment"],
        cloud=tuple((entry["key"], entry["environment"]) for entry in data["cloud"]),
        release=defaults["release"],
        arch=defaults["arch"],
        profile=defaults["profile"],
        vram_tier=defaults["vram_tier"],
        model=defaults["model"],
        ports=defaults["ports"],
        ready_timeout=defaults["ready_timeout"],
        keep_generations=defaults["keep_generations"],
        door=DoorDefaults(**defaults["door"]),
        backup_at=defaults["backup"]["at"],
        backup_keep=defaults["backup"]["keep"],
        store_port=defaults["store_port"],
        main_memory_reserve=int(data["main_memory_reserve_gib"] * _GIB),
        without_card=WithoutCard(**data["without_card"]),
        budgets=data["budgets"],
    )


def _vram_tier(name: str, min_gib: float, max_gib: float | None, **values: Any) -> VramTier:
    """A VRAM tier as the contract has it, with its sizes in bytes."""
    most = None if max_gib is None else int(max_gib * _GIB)
    return VramTier(name=name, min_vram_bytes=int(min_gib * _GIB), max_vram_bytes=most, **values)


def _frozen(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry's lists as tuples."""
    return {key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()}
