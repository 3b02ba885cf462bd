"""The OpenAI-shaped face: /v1/models, /v1/chat/completions and /v1/completions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from .engine import Finished
from .generate import Generation

_OPTIONS = ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty", "stop")


def to_ollama(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same request in the words of /api/chat and /api/generate."""
    options = {key: body[key] for key in _OPTIONS if body.get(key) is not None}
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if limit:
        options["num_predict"] = limit
    wanted = {key: body[key] for key in ("model", "messages", "prompt", "tools") if key in body}
    return {**wanted, "options": options}


def error(status: int, text: str) -> dict[str, Any]:
    """The shape of an error."""
    kind = {400: "invalid_request_error", 404: "not_found_error"}.get(status, "api_error")
    return {"error": {"message": text, "type": kind, "param": None, "code": None}}


def usage(finished: Finished) -> dict[str, int]:
    """The token counts."""
    return {
        "prompt_tokens": finished.prompt_tokens,
        "completion_tokens": finished.completion_tokens,
        "total_tokens": finished.prompt_tokens + finished.completion_tokens,
    }


def whole(body: Mapping[str, Any], generation: Generation, *, chat: bool) -> dict[str, Any]:
    """The answer in one piece."""
    text = "".join(generation)
    content = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
    choice = {"index": 0, **content, "finish_reason": generation.finished.reason}
    kind = "chat.completion" if chat else "text_completion"
    return {**_head(body, kind, chat), "choices": [choice], "usage": usage(generation.finished)}


def stream(body: Mapping[str, Any], generation: Generation, *, chat: bool) -> Iterator[dict[str, Any]]:
    """The answer in chunks, the last one with the reason it ended, then the usage if asked for."""
    head = _head(body, "chat.completion.chunk" if chat else "text_completion", chat)

    def chunk(text: str, reason: str | None) -> dict[str, Any]:
        content = {"delta": {"role": "assistant", "content": text}} if chat else {"text": text}
        return {**head, "choices": [{"index": 0, **content, "finish_reason": reason}]}

    for piece in generation:
        yield chunk(piece, None)
    yield chunk("", generation.finished.reason)
    if (body.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": usage(generation.finished)}


def _head(body: Mapping[str, Any], kind: str, chat: bool) -> dict[str, Any]:
    now = time.time()
    return {
        "id": f"{'chatcmpl' if chat else 'cmpl'}-{int(now * 1000) % 1000000}",
        "object": kind,
        "created": int(now),
        "model": body.get("model"),
        "system_fingerprint": "fp_ollama",
    }
