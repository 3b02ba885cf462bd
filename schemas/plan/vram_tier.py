"""The VRAM tier of a plan: chosen by the cards, overridden by the operator, suited to a processor. Pure."""

from __future__ import annotations

from dataclasses import replace

from schemas.data.contract import contract
from schemas.data.pins import Weights
from schemas.declared.host import DeclaredHost
from schemas.hardware import Hardware
from schemas.model import VramTier
from schemas.plan.memory import gib
from schemas.plan.room import is_assumed, need_of, room_for, vram_of
from schemas.reading.problem import Problem


def choose_tier(
    declared: DeclaredHost, hardware: Hardware, version: str, problems: list[Problem]
) -> VramTier:
    """The tier with the operator's overrides; `auto` is the largest that the cards are enough for."""
    tiers = list(contract().vram_tiers.values())
    if declared.vram_tier != "auto":
        return _resolved(declared, contract().vram_tiers[declared.vram_tier], problems)
    vram = vram_of(hardware)
    chosen = next((t for t in reversed(tiers) if vram >= t.min_vram_bytes), tiers[0])
    if is_assumed(hardware) and declared.model != "auto":
        # Nobody knows the card yet: print the smallest tier that the model can live in.
        weights = declared.pins.weights[declared.model]
        for tier in tiers:
            chosen = tier
            resolved = _resolved(declared, tier, [])
            if (
                tier.max_vram_bytes is None
                or need_of(weights, resolved, version, hardware).total <= tier.max_vram_bytes
            ):
                break
    return _resolved(declared, chosen, problems)


def _resolved(declared: DeclaredHost, tier: VramTier, problems: list[Problem]) -> VramTier:
    """The tier's values, each overridden where the environment says neither 0 nor nothing."""
    env = declared.environment

    def number(name: str, default: int) -> int:
        return int(env.get(name, "0")) or default

    flash = env.get("OLLAMA_FLASH_ATTENTION", "1" if tier.flash_attention else "0") == "1"
    requested = env.get("OLLAMA_KV_CACHE_TYPE", "")
    if requested not in ("", "f16") and not flash:
        keys = ("environment", "OLLAMA_KV_CACHE_TYPE")
        found = f'"{requested}" with OLLAMA_FLASH_ATTENTION off'
        problems.append(declared.problem(keys, found, "f16", "switch flash attention on"))
    return replace(
        tier,
        context_length=number("OLLAMA_CONTEXT_LENGTH", tier.context_length),
        num_parallel=number("OLLAMA_NUM_PARALLEL", tier.num_parallel),
        max_queue=number("OLLAMA_MAX_QUEUE", tier.max_queue),
        flash_attention=flash,
        kv_cache_type=requested or (tier.kv_cache_type if flash else "f16"),
        keep_alive=env.get("OLLAMA_KEEP_ALIVE", "") or tier.keep_alive,
    )


def without_card(
    declared: DeclaredHost,
    hardware: Hardware,
    tier: VramTier,
    weights: Weights,
    version: str,
    notes: list[str],
) -> VramTier:
    """The tier as a processor serves it best: a slot for each of Venom's prompts, and a cache quick to read.

    What the inventory sets stays. Where main memory does not hold it, the tier stays as it is.
    """
    own, env = contract().without_card, declared.environment
    slots, cache = int(env.get("OLLAMA_NUM_PARALLEL", "0")), env.get("OLLAMA_KV_CACHE_TYPE", "")
    suited = replace(tier, num_parallel=slots or own.num_parallel, kv_cache_type=cache or own.kv_cache_type)
    if suited == tier:
        return tier
    what = f"{suited.num_parallel} slots of KV cache {suited.kv_cache_type}"
    needs, room = need_of(weights, suited, version, hardware).total, room_for(declared, hardware, tier)
    if room.most is not None and needs > room.most:
        short = f"need {gib(needs, 2)}, {room.what} is {gib(room.most, 2)}"
        notes.append(f"no card: {what} would make chats quicker, but {short}: the tier's values stay")
        return tier
    notes.append(f"no card: {what}, so that prompts of Venom's stay read from chat to chat")
    return suited


def environment_without_card(hardware: Hardware, tier: VramTier) -> dict[str, str]:
    """Names of the environment that a host without a card gets besides. `tier`: as it will be served."""
    own = contract().without_card
    return own.environment if not hardware.gpus and tier.num_parallel > 1 else {}
