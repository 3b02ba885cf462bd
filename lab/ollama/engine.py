"""The engine that generates: llama.cpp on the CPU, by PyPI's xllamacpp.

It is loaded when the first request needs it, so that the server answers at once.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

# The real engine's context, tokens a slot: it bounds memory on a small lab machine. What the API
# reports is the configured context, as the real server would hold it.
CONTEXT_CAP = 4096
SLOTS_CAP = 4

OnText = Callable[[str], bool]  # gets the next piece of text; True: stop


class EngineError(Exception):
    """What the engine printed when it could not do it."""


@dataclass(frozen=True)
class Completion:
    """What to generate."""

    prompt: str
    max_tokens: int
    stop: tuple[str, ...] = ()
    sampling: dict[str, float] = field(default_factory=dict)  # llama.cpp's names


@dataclass
class Finished:
    """What was generated, and at what cost."""

    reason: str = "stop"  # stop, length
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_seconds: float = 0.0
    completion_seconds: float = 0.0


class Engine(Protocol):
    """A loaded model."""

    def complete(self, completion: Completion, on_text: OnText) -> Finished:
        """Generate; `on_text` gets each piece as it comes. Any thread may call it."""
        ...


class LlamaEngine:
    """A GGUF loaded by llama.cpp."""

    def __init__(self, path: Path, context: int, slots: int, kv_cache_type: str) -> None:
        # Only a lab host has it: its type stubs, if any, are not ours to check.
        xllamacpp: Any = importlib.import_module("xllamacpp")
        kind = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{kv_cache_type.upper()}")
        cores = len(os.sched_getaffinity(0))
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_parallel = slots
        params.n_ctx = context * slots
        params.cache_type_k = params.cache_type_v = kind
        # Threads meet after every token: one more than there are idle cores makes it ten times slower.
        params.cpuparams.n_threads = max(1, cores - 1)
        params.cpuparams_batch.n_threads = cores
        # A full cache for the layers with a sliding window, so that a conversation's common
        # beginning need not be computed again.
        params.swa_full = True
        params.cache_ram_mib = 0  # nor is it kept anywhere else
        params.warmup = False
        params.fit_params = False
        params.verbosity = -1
        try:
            self._server: Any = xllamacpp.Server(params)
        except Exception as error:
            raise EngineError(f"llama runner: {error}") from error

    def complete(self, completion: Completion, on_text: OnText) -> Finished:
        """Generate; leading blanks are dropped, and a blank answer is tried once more without stops."""
        begun = False

        def without_leading_blanks(text: str) -> bool:
            nonlocal begun
            text = text if begun else text.lstrip()
            begun = begun or bool(text)
            return on_text(text) if text else False

        finished = self._fitted(completion, without_leading_blanks)
        if not begun and completion.stop:
            again = replace(completion, stop=())
            finished = self._fitted(again, without_leading_blanks)
        return finished

    def _fitted(self, completion: Completion, on_text: OnText) -> Finished:
        """Generate; a prompt longer than the context loses its middle."""
        prompt = completion.prompt
        for _ in range(4):
            error = self._run(completion, prompt, on_text)
            if isinstance(error, Finished):
                return error
            if error.get("type") != "exceed_context_size_error":
                raise EngineError(str(error.get("message", error)))
            # Keep the instructions at its head and the question at its tail.
            share = 0.9 * (error["n_ctx"] - completion.max_tokens) / error["n_prompt_tokens"]
            keep = max(int(len(prompt) * min(share, 0.9) / 2), 1)
            prompt = prompt[:keep] + prompt[-keep:]
        raise EngineError("the prompt does not fit the context")

    def _run(self, completion: Completion, prompt: str, on_text: OnText) -> Finished | dict[str, Any]:
        finished = Finished()
        errors: list[dict[str, Any]] = []

        def on_chunk(chunk: dict[str, Any]) -> bool:
            if "error" in chunk:
                errors.append(chunk["error"])
                return True
            choice = chunk["choices"][0]
            finished.reason = choice.get("finish_reason") or finished.reason
            usage, timings = chunk.get("usage", {}), chunk.get("timings", {})
            finished.prompt_tokens = usage.get("prompt_tokens", finished.prompt_tokens)
            finished.prompt_seconds = timings.get("prompt_ms", 0.0) / 1000
            finished.completion_tokens = usage.get("completion_tokens", 0)
            finished.completion_seconds = timings.get("predicted_ms", 0.0) / 1000
            return on_text(choice["text"]) if choice["text"] else False

        request = {
            "prompt": prompt,
            "max_tokens": completion.max_tokens,
            "stop": list(completion.stop),
            "stream": True,
            **completion.sampling,
        }
        answer = self._server.handle_completions(request, on_chunk)
        if answer and "error" in answer:
            errors.append(answer["error"])
        return errors[0] if errors else finished
