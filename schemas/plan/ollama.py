"""The local model's part of a plan: VRAM tier, model, memory, and the Ollama server's environment."""

from __future__ import annotations

from dataclasses import dataclass, replace

from schemas.data import image_reference as images
from schemas.data.contract import contract
from schemas.data.pins import Weights
from schemas.data.version import at_least, in_range
from schemas.declared.environment import values
from schemas.declared.host import DeclaredHost
from schemas.model import Hardware, Image, MemoryNeed, Model, Ollama, VramTier
from schemas.plan.memory import gib, need
from schemas.plan.sources import artifact
from schemas.reading.problem import Problem, listed

ASSUMED = "assumed"  # vendor of a card that nobody has seen yet
_MODELS = "/var/lib/ollama/models"


@dataclass(frozen=True)
class Local:
    """What the rest of a plan takes from here. The three objects are None in a profile without Ollama."""

    vram_tier: VramTier | None
    ollama: Ollama | None
    model: Model | None
    vram_tier_name: str
    model_name: str
    keep_alive: str
    backend_file: dict[str, str]  # settings of the backend that follow from what was resolved


@dataclass(frozen=True)
class _Room:
    """Memory that a model can have, in bytes."""

    certain: int  # fits for sure below this: what `auto` chooses by
    most: int | None  # cannot fit above this; None: no limit is known
    what: str


def plan_local(
    declared: DeclaredHost,
    hardware: Hardware,
    problems: list[Problem],
    notes: list[str],
) -> Local:
    """Tier, server and model of the host; what stands against them goes to `problems`."""
    known = contract()
    if "ollama" not in known.profiles[declared.profile].services:
        return _without(declared, notes)
    version = _version(declared, notes)
    tier = _tier(declared, hardware, version, problems)
    weights = _weights(declared, hardware, tier, version, problems)
    by_image = declared.ollama.by_image
    file = None if by_image else artifact(declared, hardware.arch, "ollama", version, problems)
    image = _image(declared, version, problems) if by_image else None
    name = weights.name if weights else known.model
    if weights is not None and not hardware.gpus:
        tier = _without_card(declared, hardware, tier, weights, version, notes)
    if weights is not None and is_assumed(hardware):
        _undecided(declared, tier, _need(weights, tier, version, hardware), notes)
    vram = _vram(hardware)
    notes += [
        f"{gpu.name} has no memory of its own: what it can have is main memory, {gib(vram, 2)} without "
        "what the rest needs"
        for gpu in hardware.gpus
        if gpu.unified
    ]
    if hardware.gpus and vram < tier.min_vram_bytes:
        meant = gib(tier.min_vram_bytes, 2)
        notes.append(f"{tier.name} is meant for {meant} of VRAM and more, here are {gib(vram, 2)}")
    if weights is not None and tier.context_length > weights.max_context:
        most = weights.max_context
        notes.append(f"context {tier.context_length} is more than {name} can use: {most}")
        tier = replace(tier, context_length=weights.max_context)
    ollama = None
    if file is not None or image is not None:
        driver = next((d for r, d in declared.pins.drivers.items() if in_range(version, r)), "")
        env = _server(declared, hardware, tier, version, notes)
        vendors = sorted({gpu.vendor for gpu in hardware.gpus if image and gpu.vendor != ASSUMED})
        ollama = Ollama(version, file, image, declared.ports["ollama"], env, driver, tuple(vendors))
    return Local(
        vram_tier=tier,
        ollama=ollama,
        model=_model(declared, hardware, weights, tier, version) if weights else None,
        vram_tier_name=tier.name,
        model_name=name,
        keep_alive=tier.keep_alive,
        backend_file={**_differences(tier), **_intent(declared, hardware, tier)},
    )


def _image(declared: DeclaredHost, version: str, problems: list[Problem]) -> Image | None:
    pinned = declared.pins.images.get("ollama", {})
    reference = declared.ollama.image or pinned.get(version)
    if reference is None:
        found = f"an image of Ollama {version}: no digest is known"
        hint = f"{images.how_to_pin(f'docker.io/ollama/ollama:{version}')}, for a file of pins"
        problems.append(declared.problem(("ollama",), found, listed(pinned) or "none", hint))
        return None
    return images.image("ollama", version, reference, declared.mirrors.images)


def _server(
    declared: DeclaredHost, hardware: Hardware, tier: VramTier, version: str, notes: list[str]
) -> dict[str, str]:
    """The complete environment of the Ollama server, every value resolved."""
    profile = contract().profiles[declared.profile].environment
    special = {**profile, **_environment_without_card(hardware, tier)}
    server = {
        **values("ollama", declared.environment, {}, special),
        "OLLAMA_HOST": f"127.0.0.1:{declared.ports['ollama']}",
        "OLLAMA_MODELS": _MODELS,
        "OLLAMA_CONTEXT_LENGTH": str(tier.context_length),
        "OLLAMA_NUM_PARALLEL": str(tier.num_parallel),
        "OLLAMA_MAX_QUEUE": str(tier.max_queue),
        "OLLAMA_FLASH_ATTENTION": "1" if tier.flash_attention else "0",
        "OLLAMA_KV_CACHE_TYPE": tier.kv_cache_type,
        "OLLAMA_KEEP_ALIVE": tier.keep_alive,
    }
    _unknown_to(declared, version, server, notes)
    if any(gpu.vendor == "amd" for gpu in hardware.gpus) and not at_least(version, "0.30"):
        server["OLLAMA_VULKAN"] = "1"
        notes.append("AMD card: this Ollama reaches it by Vulkan (its ROCm files are not pinned)")
    return server


def _without(declared: DeclaredHost, notes: list[str]) -> Local:
    """A profile without Ollama. Names stay in the backend's file, so that a profile is a few values."""
    known = contract()
    for key in ("model", "vram_tier", "ollama"):
        if declared.settings.own(key):
            notes.append(f"{key} is declared, but profile {declared.profile} has no local model")
    tier = known.vram_tiers.get(declared.vram_tier) or known.vram_tiers[known.vram_tier]
    model = declared.model if declared.model != "auto" else known.model
    return Local(None, None, None, tier.name, model, tier.keep_alive, {})


def _version(declared: DeclaredHost, notes: list[str]) -> str:
    release = declared.pins.releases[declared.source.release]
    version = declared.ollama.version or release.ollama_use
    if version != release.ollama_wants:
        why = release.ollama_why if not declared.ollama.version else "the inventory says so"
        names = f"{release.name} names Ollama {release.ollama_wants}"
        notes.append(f"{names}, {version} is installed: {why or 'the pins say so'}")
    return version


def _tier(declared: DeclaredHost, hardware: Hardware, version: str, problems: list[Problem]) -> VramTier:
    """The tier with the operator's overrides; `auto` is the largest that the cards are enough for."""
    tiers = list(contract().vram_tiers.values())
    if declared.vram_tier != "auto":
        return _resolved(declared, contract().vram_tiers[declared.vram_tier], problems)
    vram = _vram(hardware)
    chosen = next((t for t in reversed(tiers) if vram >= t.min_vram_bytes), tiers[0])
    if is_assumed(hardware) and declared.model != "auto":
        # Nobody knows the card yet: print the smallest tier that the model can live in.
        weights = declared.pins.weights[declared.model]
        for tier in tiers:
            chosen = tier
            resolved = _resolved(declared, tier, [])
            if (
                tier.max_vram_bytes is None
                or _need(weights, resolved, version, hardware).total <= tier.max_vram_bytes
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


def _without_card(
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
    needs, room = _need(weights, suited, version, hardware).total, _room(declared, hardware, tier)
    if room.most is not None and needs > room.most:
        short = f"need {gib(needs, 2)}, {room.what} is {gib(room.most, 2)}"
        notes.append(f"no card: {what} would make chats quicker, but {short}: the tier's values stay")
        return tier
    notes.append(f"no card: {what}, so that prompts of Venom's stay read from chat to chat")
    return suited


def _environment_without_card(hardware: Hardware, tier: VramTier) -> dict[str, str]:
    """Names of the environment that a host without a card gets besides. `tier`: as it will be served."""
    own = contract().without_card
    return own.environment if not hardware.gpus and tier.num_parallel > 1 else {}


def _differences(tier: VramTier) -> dict[str, str]:
    """What the backend's file must say because it is not what the backend derives from the tier."""
    plain = contract().vram_tiers[tier.name]
    values = {}
    if tier.context_length != plain.context_length:
        values["OLLAMA_CONTEXT_LENGTH"] = str(tier.context_length)
    if tier.kv_cache_type != plain.kv_cache_type:
        values["OLLAMA_KV_CACHE_TYPE"] = tier.kv_cache_type
    return values


def _intent(declared: DeclaredHost, hardware: Hardware, tier: VramTier) -> dict[str, str]:
    """What the backend's file says of a host without a card."""
    variables = contract().variables
    return {
        name: value
        for name, value in _environment_without_card(hardware, tier).items()
        if "backend-file" in variables[name].scope and name not in declared.environment
    }


def _need(weights: Weights, tier: VramTier, version: str, hardware: Hardware) -> MemoryNeed:
    return need(
        weights,
        context=tier.context_length,
        parallel=tier.num_parallel,
        kv_type=tier.kv_cache_type,
        ollama=version,
        card=bool(hardware.gpus),
    )


def _room(declared: DeclaredHost, hardware: Hardware, tier: VramTier) -> _Room:
    if is_assumed(hardware):
        return _Room(tier.min_vram_bytes, tier.max_vram_bytes, f"the tier {tier.name}")
    if hardware.gpus:
        vram, names = _vram(hardware), listed(gpu.name for gpu in hardware.gpus)
        unified = any(gpu.unified for gpu in hardware.gpus)
        what = f"main memory, in which {names} computes," if unified else f"the VRAM of {names}"
        return _Room(vram, vram, f"{what} without what the rest needs" if unified else what)
    free = _free(hardware)
    return _Room(free, free, "main memory (no card) without what the rest needs")


def _vram(hardware: Hardware) -> int:
    """Bytes that the cards have for a model: their own, and of main memory what the rest leaves to them."""
    own = sum(gpu.vram_bytes for gpu in hardware.gpus if not gpu.unified)
    return own + (_free(hardware) if any(gpu.unified for gpu in hardware.gpus) else 0)


def _free(hardware: Hardware) -> int:
    return max(hardware.memory_bytes - contract().main_memory_reserve, 0)


def _weights(
    declared: DeclaredHost, hardware: Hardware, tier: VramTier, version: str, problems: list[Problem]
) -> Weights | None:
    """The declared model, or for `auto` the largest that fits; None and a problem if none does."""
    room = _room(declared, hardware, tier)
    all_of_them = declared.pins.weights.values()
    limit = room.most if declared.model != "auto" else room.certain
    fitting = [w for w in all_of_them if limit is None or _need(w, tier, version, hardware).total <= limit]
    if declared.model == "auto":
        if fitting:
            return fitting[-1]
        chosen = next(iter(all_of_them))
    else:
        chosen = declared.pins.weights[declared.model]
        if chosen in fitting:
            return chosen
    needs = _need(chosen, tier, version, hardware)
    parts = f"{gib(needs.weights, 2)} weights, {gib(needs.kv_cache, 2)} KV cache"
    found = f"{chosen.name} with {tier.name} needs {gib(needs.total, 2)} ({parts})"
    allowed = f"at most {gib(limit or 0, 2)}: {room.what}"
    hint = f"the largest that fits: model: {fitting[-1].name}" if fitting else _smaller(tier)
    problems.append(declared.problem(("model",), found, allowed, hint))
    return None


def _undecided(declared: DeclaredHost, tier: VramTier, needs: MemoryNeed, notes: list[str]) -> None:
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


def _model(
    declared: DeclaredHost, hardware: Hardware, weights: Weights, tier: VramTier, version: str
) -> Model:
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
        need=_need(weights, tier, version, hardware),
    )


def _unknown_to(declared: DeclaredHost, version: str, server: dict[str, str], notes: list[str]) -> None:
    """Takes out what this Ollama would ignore silently."""
    for name, variable in contract().variables.items():
        if name not in server:
            continue
        if variable.since and not at_least(version, variable.since):
            del server[name]
            notes.append(f"Ollama {version} ignores {name} (it came with {variable.since})")
        elif variable.until and at_least(version, variable.until):
            # What is gone for the better needs no word, unless somebody wrote it.
            del server[name]
            if name in declared.environment:
                notes.append(f"Ollama {version} ignores {name} (it went with {variable.until})")


def is_assumed(hardware: Hardware) -> bool:
    """Whether nobody has seen the host yet."""
    return any(gpu.vendor == ASSUMED for gpu in hardware.gpus)
