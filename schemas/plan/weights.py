"""The model of a plan: the weights that the inventory names, or the largest that fit the host. Pure."""

from __future__ import annotations

from schemas.data.contract import contract
from schemas.data.pins import Weights
from schemas.declared.host import DeclaredHost
from schemas.hardware import Hardware
from schemas.model import MemoryNeed, Model, VramTier
from schemas.plan.memory import gib
from schemas.plan.room import need_of, room_for
from schemas.reading.problem import Problem


def choose_weights(
    declared: DeclaredHost, hardware: Hardware, tier: VramTier, version: str, problems: list[Problem]
) -> Weights | None:
    """The declared model, or for `auto` the largest that fits; None and a problem if none does."""
    room = room_for(declared, hardware, tier)
    all_of_them = declared.pins.weights.values()
    limit = room.most if declared.model != "auto" else room.certain
    fitting = [w for w in all_of_them if limit is None or need_of(w, tier, version, hardware).total <= limit]
    if declared.model == "auto":
        if fitting:
            return fitting[-1]
        chosen = next(iter(all_of_them))
    else:
        chosen = declared.pins.weights[declared.model]
        if chosen in fitting:
            return chosen
    needs = need_of(chosen, tier, version, hardware)
    parts = f"{gib(needs.weights, 2)} weights, {gib(needs.kv_cache, 2)} KV cache"
    found = f"{chosen.name} with {tier.name} needs {gib(needs.total, 2)} ({parts})"
    allowed = f"at most {gib(limit or 0, 2)}: {room.what}"
    hint = f"the largest that fits: model: {fitting[-1].name}" if fitting else _smaller(tier)
    problems.append(declared.problem(("model",), found, allowed, hint))
    return None


def add_undecided(declared: DeclaredHost, tier: VramTier, needs: MemoryNeed, notes: list[str]) -> None:
    """What only the host's own card decides."""
    if declared.vram_tier == "auto":
        notes.append(f"vram_tier auto: shown for {tier.name}, the host's card decides")
    if declared.model == "auto":
        notes.append("model auto: shown for the smallest card of the tier, the host's decides")
    if needs.total > tier.min_vram_bytes:
        smallest = gib(tier.min_vram_bytes, 2)
        notes.append(
            f"needs {gib(needs.total, 2)}, the smallest card of {tier.name} has {smallest}: "
            "refused on a host that has less"
        )


def _smaller(tier: VramTier) -> str:
    names = list(contract().vram_tiers)
    if tier.name != names[0]:
        return f"no model fits; try vram_tier: {names[0]}"
    return "no model fits; use profile: llm_off"


def model_of(
    declared: DeclaredHost, hardware: Hardware, weights: Weights, tier: VramTier, version: str
) -> Model:
    """The weights as the host pulls them, from Ollama's registry or the operator's."""
    pull, insecure = weights.name, False
    registry = declared.mirrors.ollama
    if registry:
        insecure = not registry.startswith("https://")
        place = registry.removeprefix("https://").removeprefix("http://")
        pull = f"{place}/library/{weights.name}"
    return Model(
        name=weights.name,
        digest=weights.manifest,
        size=weights.bytes,
        pull_name=pull,
        insecure=insecure,
        need=need_of(weights, tier, version, hardware),
    )
