"""ONNX's part of a plan: its model, and the main memory that this takes in the backend's process. Pure."""

from __future__ import annotations

from schemas.data.contract import contract
from schemas.declared.host import DeclaredHost
from schemas.hardware import Hardware
from schemas.model import Model, Onnx
from schemas.plan.memory import gib
from schemas.plan.room import is_assumed
from schemas.plan.tree import tree_of
from schemas.reading.problem import Problem

# Tokens whose KV cache is counted with: Venom's prompts and answers are far shorter.
_CONTEXT = 8192
_CPU = "cpu"


def plan_onnx(
    declared: DeclaredHost, hardware: Hardware, model: Model | None, problems: list[Problem]
) -> Onnx | None:
    """ONNX beside Ollama's `model`; None where none is asked for. What stands against it: `problems`."""
    if "onnx" not in declared.engines or model is None:
        return None
    name = declared.engines["onnx"]
    tree = tree_of(declared, name)
    # As the weights come off the disk, with what a conversation takes.
    need = tree.size + _CONTEXT * declared.pins.trees[name].kv_bytes_per_token
    # Ollama's model lies there, too, where no card has memory of its own.
    shared = all(gpu.unified for gpu in hardware.gpus)
    left = hardware.memory_bytes - contract().main_memory_reserve - model.need.total
    if not is_assumed(hardware) and shared and need > left:
        found = (
            f"needs {gib(need)}, and beside {model.name} ({gib(model.need.total)}) {gib(max(left, 0))} of "
            f"{gib(hardware.memory_bytes)} of main memory are left to it"
        )
        hint = "a smaller model for one of the two"
        problems.append(declared.problem(("engines", "onnx", "model"), found, "one that fits", hint))
    return Onnx(tree, _CPU, need, declared.secrets.get("HF_TOKEN"))


def settings_of_onnx(onnx: Onnx | None) -> dict[str, str]:
    """What the backend is told of ONNX."""
    if onnx is None:
        return {}
    return {
        "ONNX_LLM_ENABLED": "true",
        "ONNX_LLM_MODEL_PATH": onnx.tree.path,
        # Venom's default is cuda, from which it falls back with a warning only.
        "ONNX_LLM_EXECUTION_PROVIDER": onnx.provider,
    }
