"""What a host answered about what serves there, as data. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from engine.answers import data
from engine.generation import Generation, restored
from engine.receipt import applied_by, check_receipt
from engine.resources import Switchable
from roles.status.backups import Backups


class _Unit(TypedDict):
    """A unit, as status.py reports it."""

    state: str
    substate: str
    since: int
    restarts: int
    memory: int


class Kept(TypedDict):
    """A generation that is kept."""

    key: str
    at: str
    name: str
    data_at: str  # UTC, ISO 8601; empty where no copy of its data is kept
    data_bytes: int


class _Models(TypedDict):
    """What Ollama has, and what of it is loaded."""

    digests: dict[str, str]
    loaded: dict[str, dict[str, int]]


class _Answer(TypedDict):
    """The form of what status.py prints."""

    now: int
    key: str
    generation: dict[str, Any] | None
    receipt: dict[str, Any]
    kept: list[Kept]
    units: dict[str, _Unit]
    answers: dict[str, str]
    models: _Models | None
    versions: dict[str, str]
    lock: str
    measured: str
    backup: dict[str, Any]


@dataclass(frozen=True)
class HostState:
    """What a host reported of what serves there."""

    now: int  # seconds since 1970, by the host's clock
    key: str  # of the current generation; empty where there is none
    generation: Generation | None  # the current one; its texts and values are digests
    receipt: Mapping[str, Any]
    kept: Sequence[Kept]  # generations; the newest use first
    units: Mapping[str, Mapping[str, Any]]  # state, substate, since, restarts, memory
    answers: Mapping[str, str]  # unit → empty where it answers, else what it answered instead
    models: Mapping[str, Any] | None  # digests and loaded; None where no Ollama answers
    versions: Mapping[str, str]  # e.g. Python → 3.12.1; empty where there is none
    lock: str  # who changes the host just now, or died doing so
    measured: str = ""  # the last acceptance's figures, as a line; empty where there was none
    backups: Backups | None = None  # None on a host without them

    @classmethod
    def of(cls, text: str) -> HostState:
        """What the host's answer says. Raises what `answers.data` raises, KeyError or ValueError."""
        answer = data(text, _Answer)
        check_receipt(answer["receipt"])
        generation = restored(answer["generation"]) if answer["generation"] else None
        state = cls(
            now=answer["now"],
            key=answer["key"],
            generation=generation,
            receipt=answer["receipt"],
            kept=answer["kept"],
            units=answer["units"],
            answers=answer["answers"],
            models=answer["models"],
            versions=answer["versions"],
            lock=answer["lock"],
            measured=answer["measured"],
            backups=Backups.of(
                answer["backup"], applied_by(answer["receipt"]).get("plan", {}), answer["now"]
            ),
        )
        # Of each of these something is reported.
        for it in generation.services if generation else ():
            _ = state.units[it.unit], state.answers[it.unit]
        for unit in generation.stopped if generation else ():
            _ = state.units[unit]
        return state

    @property
    def applied(self) -> str:
        """The key of what was applied last; empty on a host that was never provisioned."""
        return self.key or str(self.receipt.get("generation", ""))

    @property
    def provisioned(self) -> bool:
        """Whether a run ever ended here."""
        return bool(self.applied)

    @property
    def resources(self) -> tuple[Switchable, ...]:
        """What is declared of the host by what was applied last."""
        return self.generation.resources if self.generation else ()

    @property
    def store_paths(self) -> tuple[str, ...]:
        """What it needs in the stores."""
        return self.generation.store_paths if self.generation else ()

    @property
    def plan(self) -> Mapping[str, Any]:
        """The plan that was applied, as `schemas.plan.show.to_dict` has it; empty where none was."""
        plan: Mapping[str, Any] = applied_by(self.receipt)["plan"]
        return plan
