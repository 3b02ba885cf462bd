"""The local model's part of a plan: the Ollama server with its environment, beside VRAM tier and model."""

from __future__ import annotations

from dataclasses import dataclass, replace

from schemas.data import image_reference as images
from schemas.data.contract import contract
from schemas.data.version import at_least
from schemas.declared.environment import values
from schemas.declared.host import DeclaredHost
from schemas.hardware import Hardware
from schemas.model import Image, Model, Ollama, VramTier
from schemas.plan.driver import drivers, oldest
from schemas.plan.memory import gib
from schemas.plan.room import ASSUMED, is_assumed, need_of, vram_of
from schemas.plan.sources import artifact, image_of
from schemas.plan.vram_tier import choose_tier, environment_without_card, without_card
from schemas.plan.weights import add_undecided, choose_weights, model_of
from schemas.reading.problem import Problem, listed

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
    tier = choose_tier(declared, hardware, version, problems)
    weights = choose_weights(declared, hardware, tier, version, problems)
    by_image = declared.ollama.by_image
    file = None if by_image else artifact(declared, hardware.arch, "ollama", version, problems)
    image = _image(declared, version, problems) if by_image else None
    name = weights.name if weights else known.model
    if weights is not None and not hardware.gpus:
        tier = without_card(declared, hardware, tier, weights, version, notes)
    if weights is not None and is_assumed(hardware):
        add_undecided(declared, tier, need_of(weights, tier, version, hardware), notes)
    vram = vram_of(hardware)
    notes += [
        f"{gpu.name} has no memory of its own: it uses main memory, {gib(vram, 2)} without what the rest "
        "needs"
        for gpu in hardware.gpus
        if gpu.unified
    ]
    if hardware.gpus and vram < tier.min_vram_bytes:
        meant = gib(tier.min_vram_bytes, 2)
        notes.append(f"{tier.name} is meant for at least {meant} of VRAM; this host has {gib(vram, 2)}")
    if weights is not None and tier.context_length > weights.max_context:
        most = weights.max_context
        notes.append(f"context {tier.context_length} is more than {name} can use: {most}")
        tier = replace(tier, context_length=weights.max_context)
    ollama = None
    if file is not None or image is not None:
        driver = oldest(drivers(declared.pins, [version]).needed[version], "").certain
        env = _server(declared, hardware, tier, version, notes)
        vendors = sorted({gpu.vendor for gpu in hardware.gpus if image and gpu.vendor != ASSUMED})
        ollama = Ollama(version, file, image, declared.ports["ollama"], env, driver, tuple(vendors))
    return Local(
        vram_tier=tier,
        ollama=ollama,
        model=model_of(declared, hardware, weights, tier, version) if weights else None,
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
    return image_of(declared, "ollama", version, reference)


def _server(
    declared: DeclaredHost, hardware: Hardware, tier: VramTier, version: str, notes: list[str]
) -> dict[str, str]:
    """The complete environment of the Ollama server, every value resolved."""
    profile = contract().profiles[declared.profile].environment
    special = {**profile, **environment_without_card(hardware, tier)}
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
        notes.append(f"{names}, but {version} is installed: {why or 'the pins say so'}")
    return version


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
        for name, value in environment_without_card(hardware, tier).items()
        if "backend-file" in variables[name].scope and name not in declared.environment
    }


def _unknown_to(declared: DeclaredHost, version: str, server: dict[str, str], notes: list[str]) -> None:
    """Takes out what this Ollama would ignore silently."""
    for name, variable in contract().variables.items():
        if name not in server:
            continue
        if variable.since and not at_least(version, variable.since):
            del server[name]
            notes.append(f"Ollama {version} ignores {name} (new in {variable.since})")
        elif variable.until and at_least(version, variable.until):
            # What is gone for the better needs no word, unless somebody wrote it.
            del server[name]
            if name in declared.environment:
                notes.append(f"Ollama {version} ignores {name} (removed in {variable.until})")
