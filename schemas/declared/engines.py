"""What the inventory asks for of model servers beside Ollama, and of speech."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from schemas.data.contract import contract
from schemas.data.pins import Pins
from schemas.reading.inherit import Settings
from schemas.reading.problem import Problem, did_you_mean, listed

# What computes a model → where the inventory names that.
_WHERE = {
    "vllm": ("engines", "vllm", "model"),
    "onnx": ("engines", "onnx", "model"),
    "stt": ("engines", "speech", "stt"),
    "tts": ("engines", "speech", "tts"),
}
# By these a tree has such a model: ends of its files' names. Without a tokenizer faster-whisper fetches one.
_FILES = {
    "vllm": ("config.json",),
    "onnx": ("genai_config.json",),
    "stt": ("model.bin", "tokenizer.json"),
    "tts": (".onnx", ".onnx.json"),
}
# Why an engine cannot be beside Venom's images.
_BY_IMAGE = {"vllm": "whose backend cannot start a unit of the host"}
_OTHER_PACKAGES = "which have packages of their own"
# The tiers whose packages they need in the backend's environment, and those that bring ONNX's other build.
_TIERS = {"onnx": ("onnx-cpu",), "stt": ("onnx-cpu", "onnx-extras"), "tts": ("onnx-cpu", "onnx-extras")}
_ONNX_ON_CUDA = ("onnx", "full")


def engines_of(settings: Settings, profile: str, pins: Pins, problems: list[Problem]) -> dict[str, str]:
    """What is asked for (vllm, onnx, stt, tts), each with the repository of its model.

    What is wrong goes to `problems`.
    """
    asked: Mapping[str, object] = settings.get("engines", default={})
    for name in (it for it in ("vllm", "onnx", "speech") if asked.get(it)):
        if profile != "full":
            wrong, hint = f"{name} in profile {profile}", "write profile: full"
            problems.append(settings.problem(("engines",), wrong, "no engine but Ollama", hint))
        if settings.get("venom", "install") == "image":
            found = f"{name} beside Venom's images, {_BY_IMAGE.get(name, _OTHER_PACKAGES)}"
            problems.append(settings.problem(("engines",), found, "engines with install: source"))
    # Where a model is missing, that was reported already.
    models = {name: str(settings.get(*keys, default="")) for name, keys in _WHERE.items()}
    models = {name: model for name, model in models.items() if model}
    problems += (it for name, model in models.items() for it in _against(settings, name, model, pins))
    return models


def tiers_of_engines(
    settings: Settings,
    engines: Iterable[str],
    release: str,
    tiers: Collection[str],
    problems: list[Problem],
) -> tuple[str, ...]:
    """The tiers that engines bring to those that are asked for (`tiers`); what is wrong: `problems`."""
    brought = dict.fromkeys(tier for name in engines for tier in _TIERS.get(name, ()))
    if not brought:
        return ()
    keys = ("engines", "onnx") if settings.get("engines", "onnx") else ("engines", "speech")
    if lacking := [it for it in brought if not contract().requirements[it].files_of(release)]:
        found = f"{keys[1]} with {release}, which has no tier {listed(lacking)}"
        problems.append(settings.problem(keys, found, "v1.7.0 or later"))
    if other := [it for it in _ONNX_ON_CUDA if it in tiers]:
        found = f"{keys[1]} beside the tier {listed(other)}, whose onnxruntime-gpu lies in the same folder"
        hint = f"leave {listed(other)} out of requirements: the engine brings its own packages"
        problems.append(settings.problem(keys, found, "one of the two", hint))
    return tuple(it for it in brought if it not in tiers)


def _against(settings: Settings, name: str, model: str, pins: Pins) -> Iterator[Problem]:
    keys = _WHERE[name]
    if model not in pins.trees:
        hint = (
            did_you_mean(model, pins.trees)
            or f"python -m fleet.pin {model}@main > trees.yaml, and name it in pins"
        )
        known = listed(pins.trees) or "a tree of a file of pins: none has one"
        yield settings.problem(keys, f'"{model}"', known, hint)
        return
    if name in ("vllm", "onnx") and not pins.trees[model].kv_bytes_per_token:
        found = f'"{model}", whose pin has no kv_bytes_per_token'
        yield settings.problem(keys, found, "a language model, as python -m fleet.pin writes it")
        return
    names = [path.rpartition("/")[2] for path in pins.trees[model].files]
    for end in _FILES[name]:
        those = [it for it in names if it == end or (end.startswith(".") and it.endswith(end))]
        if not those:
            found = f'"{model}", whose tree has no {end.removeprefix(".")}'
            yield settings.problem(keys, found, f"a model for {name}")
            return
        if name in ("stt", "tts") and len(those) > 1:
            found = f'"{model}", whose tree has {len(those)} models'
            hint = f"pin one folder of it: python -m fleet.pin {model}@main --under FOLDER"
            yield settings.problem(keys, found, "a tree with one", hint)
            return
