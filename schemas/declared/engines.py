"""What the inventory asks for of model servers beside Ollama."""

from __future__ import annotations

from schemas.data.pins import Pins
from schemas.reading.inherit import Settings
from schemas.reading.problem import Problem, did_you_mean, listed


def vllm_of(settings: Settings, profile: str, pins: Pins, problems: list[Problem]) -> str:
    """The repository of vLLM's model; empty where there is no vLLM. What is wrong goes to `problems`."""
    asked = settings.get("engines", "vllm", default={})
    if not asked:
        return ""
    if profile != "full":
        found = f"vllm in profile {profile}"
        problems.append(settings.problem(("engines",), found, "no engine but Ollama", "write profile: full"))
    if settings.get("venom", "install") == "image":
        found = "vllm beside Venom's images, whose backend cannot start a unit of the host"
        problems.append(settings.problem(("engines",), found, "engines with install: source"))
    model = str(asked.get("model", ""))  # where it is missing, that was reported already
    if model and model not in pins.trees:
        hint = (
            did_you_mean(model, pins.trees)
            or f"python -m fleet.pin {model}@main > trees.yaml, and name it in pins"
        )
        known = listed(pins.trees) or "a tree of a file of pins: none has one"
        problems.append(settings.problem(("engines", "vllm", "model"), f'"{model}"', known, hint))
    return model
