"""What the inventory asks for of model servers beside Ollama."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from schemas.data.contract import contract
from schemas.data.pins import Pins
from schemas.reading.inherit import Settings
from schemas.reading.problem import Problem, did_you_mean, listed

# Of each engine: what its model's tree must have, by which it is one.
_CONFIG = {"vllm": "config.json", "onnx": "genai_config.json"}
# Why an engine cannot be beside Venom's images.
_BY_IMAGE = {
    "vllm": "vllm beside Venom's images, whose backend cannot start a unit of the host",
    "onnx": "onnx beside Venom's images, which have packages of their own",
}
# The tier whose packages ONNX needs in the backend's environment, and those that bring its other build.
ONNX_TIER = "onnx-cpu"
_ONNX_ON_CUDA = ("onnx", "full")


def engines_of(settings: Settings, profile: str, pins: Pins, problems: list[Problem]) -> dict[str, str]:
    """The engines that are asked for, each with the repository of its model; what is wrong: `problems`."""
    asked: Mapping[str, Mapping[str, str]] = settings.get("engines", default={})
    found = {}
    for name in (it for it in _CONFIG if asked.get(it)):
        if profile != "full":
            wrong, hint = f"{name} in profile {profile}", "write profile: full"
            problems.append(settings.problem(("engines",), wrong, "no engine but Ollama", hint))
        if settings.get("venom", "install") == "image":
            allowed = "engines with install: source"
            problems.append(settings.problem(("engines",), _BY_IMAGE[name], allowed))
        # Where it is missing, that was reported already.
        if model := str(asked[name].get("model", "")):
            problems += _model(settings, name, model, pins)
            found[name] = model
    return found


def onnx_tiers(
    settings: Settings, release: str, tiers: Collection[str], problems: list[Problem]
) -> tuple[str, ...]:
    """The tier that ONNX brings to those that are asked for (`tiers`); what is wrong goes to `problems`."""
    if not contract().requirements[ONNX_TIER].files_of(release):
        found, keys = f"onnx with {release}, which has no tier {ONNX_TIER}", ("engines", "onnx")
        problems.append(settings.problem(keys, found, "v1.7.0 or later"))
    if other := [it for it in _ONNX_ON_CUDA if it in tiers]:
        found = f"onnx beside the tier {listed(other)}, whose onnxruntime-gpu lies in the same folder"
        hint = f"leave {listed(other)} out of requirements: the engine brings its own packages"
        problems.append(settings.problem(("engines", "onnx"), found, "one of the two", hint))
    return () if ONNX_TIER in tiers else (ONNX_TIER,)


def _model(settings: Settings, engine: str, model: str, pins: Pins) -> list[Problem]:
    keys, config = ("engines", engine, "model"), _CONFIG[engine]
    if model not in pins.trees:
        hint = (
            did_you_mean(model, pins.trees)
            or f"python -m fleet.pin {model}@main > trees.yaml, and name it in pins"
        )
        known = listed(pins.trees) or "a tree of a file of pins: none has one"
        return [settings.problem(keys, f'"{model}"', known, hint)]
    if any(path.rpartition("/")[2] == config for path in pins.trees[model].files):
        return []
    return [settings.problem(keys, f'"{model}", whose tree has no {config}', f"a model for {engine}")]
