"""How a host differs from what was applied there last, and from what is planned since. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine import paths
from engine.following import Following
from engine.generation import Generation
from engine.observation import Observed
from engine.receipt import applied_by
from engine.resources import Difference, once
from engine.scripts.spill import lies_outside
from engine.services import Service
from roles.status.state import HostState
from schemas.hardware import Gpu
from schemas.plan.compare import applied_changes
from schemas.plan.memory import gib


@dataclass(frozen=True)
class Desired:
    """What the plan makes of the host, and what of it the host is not."""

    generation: Generation
    differs: Sequence[Difference]
    cards: Sequence[Gpu] = ()  # that the host has now
    remarks: Sequence[str] = ()  # what the operator should know of its hardware


def drift(
    state: HostState, observed: Observed, desired: Desired | None
) -> tuple[list[Difference], list[Difference]]:
    """What of the host is not as it was applied last, and what is not yet as the plan says since.

    What differs from both is in the first list only. What all generations stand on is not in what was
    applied: it is compared with the plan.
    """
    changed = _changed(state, observed)
    if desired is None:
        return changed, []
    if desired.generation.key == state.applied:
        return once([*changed, *desired.differs]), []
    known = {it.thing for it in changed} | {it.thing for it in desired.generation.unproven(observed)}
    others = [it for it in desired.differs if it.thing not in known]
    return changed, [*_other(state, desired), *others]


def _changed(state: HostState, observed: Observed) -> list[Difference]:
    if state.generation is None:
        return [Difference(f"{paths.GENERATIONS}/current", "names no generation that is there")]
    found = [*state.generation.differs(observed), *state.generation.lacks(observed)]
    if state.receipt.get("generation") != state.key:
        found.append(Difference(paths.RECEIPT, f"does not name {state.key}, which serves"))
    answers = [Difference(unit, f"does not answer: {why}") for unit, why in state.answers.items() if why]
    for service in state.generation.services:
        found += [*service.doubts(observed), *_outside_vram(service, state)]
    # Where it does not run at all, that says more.
    return once([*found, *answers])


def _outside_vram(service: Service, state: HostState) -> list[Difference]:
    """That its model is loaded and does not lie on the card that should hold it."""
    model = service.model
    memory = ((state.models or {}).get("loaded") or {}).get(model.name) if model else None
    if not (model and memory) or model.may_spill or not model.gpu:
        return []
    if not lies_outside(memory["size"], memory["size_vram"]):
        return []
    parts = f"{gib(memory['size_vram'])} of {gib(memory['size'])} in VRAM"
    return [Difference(model.name, f"{parts}: processors compute the rest")]


def _other(state: HostState, desired: Desired) -> list[Difference]:
    found = applied_changes(applied_by(state.receipt), desired.generation.applied)
    if not found.declared and not found.plan:
        same = "is the same; this version of the provisioner makes another generation of it"
        return [Difference("the plan", same)]
    of_plan = Following if found.declared else Difference
    return [
        *(Difference(name, change) for name, change in found.declared.items()),
        *(of_plan(f"plan {name}", change) for name, change in found.plan.items()),
    ]
