"""Whether a model fits a host: the memory that the host has for one, and what one needs there. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.data.contract import contract
from schemas.data.pins import Weights
from schemas.declared.host import DeclaredHost
from schemas.hardware import Hardware
from schemas.model import MemoryNeed, VramTier
from schemas.plan.memory import need
from schemas.reading.problem import listed

ASSUMED = "assumed"  # vendor of a card that nobody has seen yet


@dataclass(frozen=True)
class Room:
    """Memory that a model can have, in bytes."""

    certain: int  # fits for sure below this: what `auto` chooses by
    most: int | None  # cannot fit above this; None: no limit is known
    what: str


def is_assumed(hardware: Hardware) -> bool:
    """Whether nobody has seen the host yet."""
    return any(gpu.vendor == ASSUMED for gpu in hardware.gpus)


def room_for(declared: DeclaredHost, hardware: Hardware, tier: VramTier) -> Room:
    """The memory that a model can have: the cards', or the host's where it has none."""
    if is_assumed(hardware):
        return Room(tier.min_vram_bytes, tier.max_vram_bytes, f"the tier {tier.name}")
    if hardware.gpus:
        vram, names = vram_of(hardware), listed(gpu.name for gpu in hardware.gpus)
        unified = any(gpu.unified for gpu in hardware.gpus)
        what = f"main memory, in which {names} computes," if unified else f"the VRAM of {names}"
        return Room(vram, vram, f"{what} without what the rest needs" if unified else what)
    free = _free(hardware)
    return Room(free, free, "main memory (no card) without what the rest needs")


def vram_of(hardware: Hardware) -> int:
    """Bytes that the cards have for a model: their own, and of main memory what the rest leaves to them."""
    own = sum(gpu.vram_bytes for gpu in hardware.gpus if not gpu.unified)
    return own + (_free(hardware) if any(gpu.unified for gpu in hardware.gpus) else 0)


def _free(hardware: Hardware) -> int:
    return max(hardware.memory_bytes - contract().main_memory_reserve, 0)


def need_of(weights: Weights, tier: VramTier, version: str, hardware: Hardware) -> MemoryNeed:
    """What the weights need on this hardware with this tier. `version`: of Ollama."""
    return need(
        weights,
        context=tier.context_length,
        parallel=tier.num_parallel,
        kv_type=tier.kv_cache_type,
        ollama=version,
        card=bool(hardware.gpus),
    )
