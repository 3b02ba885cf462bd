"""vLLM's part of a plan: its files, and the share of the card that Ollama's model leaves to it. Pure.

Both servers run at once, on one card: vLLM takes its share when it starts, and refuses a card that has less
free. So the two must fit together, or the plan is refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from schemas.data.contract import contract
from schemas.data.version import at_least
from schemas.declared.host import DeclaredHost
from schemas.hardware import Gpu, Hardware
from schemas.model import Model, Vllm
from schemas.plan.memory import GIB, gib
from schemas.plan.room import is_assumed
from schemas.plan.sources import artifact
from schemas.plan.tree import tree_of
from schemas.reading.problem import Problem, listed

# What vLLM takes beside weights and KV cache: CUDA's context, activations of a batch of 2048 tokens.
_REST = 3 * GIB // 2
# More is not Venom's own way (scripts/llm/vllm_service.sh), and leaves nothing to what else is on the card.
_MOST = 85  # per cent
UNIT = "vllm.service"  # the name that Venom's scripts look for


def plan_vllm(
    declared: DeclaredHost, hardware: Hardware, model: Model | None, problems: list[Problem]
) -> Vllm | None:
    """vLLM beside Ollama's `model`; None where none is asked for, or where `problems` says why not."""
    if "vllm" not in declared.engines or model is None:
        return None
    pinned, tree = declared.pins.engines["vllm"], declared.pins.trees[declared.engines["vllm"]]
    if hardware.arch not in pinned.arch:
        found, allowed = f"a host of the architecture {hardware.arch}", listed(pinned.arch)
        problems.append(declared.problem(("engines", "vllm"), found, allowed))
        return None
    python = artifact(
        declared,
        hardware.arch,
        "python",
        declared.pins.releases[declared.source.release].python_use,
        problems,
    )
    context = int(_value(declared, "VLLM_MAX_MODEL_LEN"))
    need = sum(size for _, size in tree.files.values()) + context * tree.kv_bytes_per_token + _REST
    share = _share(declared, hardware, model, need, problems)
    if python is None or share is None:
        return None
    return Vllm(
        version=pinned.version,
        requires=pinned.requires,
        python=python,
        disk=pinned.bytes,
        driver=pinned.driver,
        port=declared.ports["vllm"],
        tree=tree_of(declared, declared.engines["vllm"]),
        context=context,
        eager=_value(declared, "VLLM_ENFORCE_EAGER") == "true",
        share=share,
        token=declared.secrets.get("HF_TOKEN"),
    )


def settings_of_vllm(vllm: Vllm | None) -> dict[str, str]:
    """What the backend is told of vLLM."""
    if vllm is None:
        return {}
    commands = {
        f"VLLM_{verb.upper()}_COMMAND": f"systemctl {verb} {UNIT}" for verb in ("start", "stop", "restart")
    }
    return {
        **commands,
        "VLLM_MODEL_PATH": vllm.tree.path,
        "VLLM_SERVED_MODEL_NAME": vllm.tree.repository,
        "VLLM_HOST": "127.0.0.1",
        "VLLM_PORT": str(vllm.port),
        "VLLM_ENDPOINT": f"http://127.0.0.1:{vllm.port}/v1",
        "VLLM_GPU_MEMORY_UTILIZATION": vllm.share,
        "VLLM_MAX_MODEL_LEN": str(vllm.context),
        "VLLM_ENFORCE_EAGER": str(vllm.eager).lower(),
    }


def _value(declared: DeclaredHost, name: str) -> str:
    return declared.environment.get(name, contract().variables[name].default)


def _share(
    declared: DeclaredHost, hardware: Hardware, model: Model, need: int, problems: list[Problem]
) -> str | None:
    """What vLLM may take of the card, as a part of all of it; None where that is not enough."""
    card = next((it for it in hardware.gpus if it.vendor == "nvidia"), None)
    if is_assumed(hardware):
        card = hardware.gpus[0]
    against = list(_against(declared, card))
    if card is not None and not against:
        percent = min(_MOST, 100 * (card.vram_bytes - model.need.total) // card.vram_bytes)
        if percent * card.vram_bytes // 100 >= need:
            return f"0.{percent:02d}"
        # Nobody has seen the card: a larger one of its tier may do.
        if is_assumed(hardware):
            return f"0.{max(percent, 1):02d}"
        left = gib(max(percent * card.vram_bytes // 100, 0))
        found = (
            f"needs {gib(need)}, and beside {model.name} ({gib(model.need.total)}) {left} of the "
            f"{gib(card.vram_bytes)} of {card.name} are left to it"
        )
        hint = "a smaller model for one of the two, a smaller vram_tier, or a lower VLLM_MAX_MODEL_LEN"
        problems.append(declared.problem(("engines", "vllm", "model"), found, "one that fits the card", hint))
    problems += against
    return None


def _against(declared: DeclaredHost, card: Gpu | None) -> Iterator[Problem]:
    lowest = declared.pins.engines["vllm"].capability
    allowed = f"an NVIDIA card of compute capability {lowest} or later"
    keys = ("engines", "vllm")
    if card is None:
        yield declared.problem(keys, "a host without an NVIDIA card", allowed, "leave engines.vllm out")
    elif card.unified:
        yield declared.problem(keys, f"{card.name}, which has no memory of its own", allowed)
    elif card.compute_capability and not at_least(card.compute_capability, lowest):
        found = f"{card.name}, of compute capability {card.compute_capability}"
        yield declared.problem(keys, found, allowed)
