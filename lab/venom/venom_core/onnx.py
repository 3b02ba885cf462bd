"""ONNX in this process, as the real one has it: looked for by name, imported at the first chat."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from pathlib import Path
from typing import Any

from venom_core.config import SETTINGS

_CONFIG = "genai_config.json"
_loaded: dict[str, Any] = {}


def installed() -> bool:
    """Whether the package is there."""
    return importlib.util.find_spec("onnxruntime_genai") is not None


def status() -> dict[str, Any]:
    """What the list of servers says of it."""
    found, available = _model(), _providers()
    provider = SETTINGS.ONNX_LLM_EXECUTION_PROVIDER.lower()
    return {
        "enabled": SETTINGS.ONNX_LLM_ENABLED,
        "execution_provider": provider,
        "genai_installed": installed(),
        "resolved_model_path": str(found) if found else None,
        "available_execution_providers": available,
        "requested_provider_available": f"{provider}executionprovider" in [it.lower() for it in available],
        "ready": SETTINGS.ONNX_LLM_ENABLED and installed() and found is not None,
    }


async def answer(messages: list[dict[str, str]], max_tokens: int) -> str:
    """The whole answer of the model."""
    return await asyncio.to_thread(_answer, messages, min(max_tokens, SETTINGS.ONNX_LLM_MAX_NEW_TOKENS))


def _answer(messages: list[dict[str, str]], max_tokens: int) -> str:
    import onnxruntime_genai as og  # noqa: PLC0415

    folder = str(_model())
    if folder not in _loaded:
        config = og.Config(folder)
        config.clear_providers()
        config.append_provider(SETTINGS.ONNX_LLM_EXECUTION_PROVIDER)
        _loaded[folder] = og.Model(config)
    model = _loaded[folder]
    tokenizer = og.Tokenizer(model)
    prompt = tokenizer.encode(tokenizer.apply_chat_template(json.dumps(messages), add_generation_prompt=True))
    wanted = og.GeneratorParams(model)
    wanted.set_search_options(max_length=len(prompt) + max_tokens, do_sample=True, temperature=0.2)
    generator = og.Generator(model, wanted)
    generator.append_tokens(prompt)
    stream, words = tokenizer.create_stream(), ""
    for _ in range(max_tokens):
        if generator.is_done():
            break
        generator.generate_next_token()
        words += stream.decode(int(generator.get_next_tokens()[0]))
    return words


def _model() -> Path | None:
    """The folder of the model, at the path of the settings or below it."""
    path = Path(SETTINGS.ONNX_LLM_MODEL_PATH or "/nonexistent")
    found = sorted(path.rglob(_CONFIG), key=lambda it: (len(it.parts), str(it)))
    return found[0].parent if found else None


def _providers() -> list[str]:
    try:
        import onnxruntime  # noqa: PLC0415

        return [str(it) for it in onnxruntime.get_available_providers()]
    except ImportError:
        return []
