"""Asking the model: Ollama's own interface for what there is, OpenAI's for a chat."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from venom_core import onnx
from venom_core.config import SETTINGS

type Message = dict[str, str]

_TIMEOUT = httpx.Timeout(120.0, connect=5.0)


class NoModel(Exception):
    """Nothing here could answer."""


def _root() -> str:
    return SETTINGS.endpoint.removesuffix("/v1")


async def available() -> list[str] | None:
    """Names of Ollama's models; None where it does not answer."""
    try:
        async with httpx.AsyncClient(timeout=5.0) as client:
            answer = await client.get(f"{_root()}/api/tags")
            answer.raise_for_status()
            return [model["name"] for model in answer.json()["models"]]
    except (httpx.HTTPError, ValueError, KeyError):
        return None


def assert_possible() -> None:
    """`NoModel` where neither a local server nor a cloud key is configured."""
    if SETTINGS.ACTIVE_LLM_SERVER.lower() in ("", "none"):
        if SETTINGS.has_cloud_key:
            raise NoModel("the small Venom asks no cloud API")
        raise NoModel("no local model server is active and no cloud key is set")


async def ask(messages: list[Message], max_tokens: int) -> str:
    """The whole answer, with the retries that the settings allow."""
    if SETTINGS.ACTIVE_LLM_SERVER.lower() == "onnx":
        return await onnx.answer(messages, max_tokens)
    body = {"model": SETTINGS.LLM_MODEL_NAME, "messages": messages, "max_tokens": max_tokens}
    for attempt in range(SETTINGS.OLLAMA_RETRY_MAX_ATTEMPTS + 1):
        async with httpx.AsyncClient(timeout=_TIMEOUT) as client:
            answer = await client.post(f"{SETTINGS.endpoint}/chat/completions", json=body)
        if answer.status_code < 429 or attempt == SETTINGS.OLLAMA_RETRY_MAX_ATTEMPTS:
            break
        await asyncio.sleep(SETTINGS.OLLAMA_RETRY_BACKOFF_SECONDS * 2**attempt)
    if answer.status_code != 200:
        raise NoModel(f"{answer.status_code}: {answer.text[:300]}")
    return str(answer.json()["choices"][0]["message"]["content"])


async def stream(messages: list[Message]) -> AsyncIterator[str]:
    """The answer as it comes."""
    if SETTINGS.ACTIVE_LLM_SERVER.lower() == "onnx":
        yield await onnx.answer(messages, SETTINGS.ONNX_LLM_MAX_NEW_TOKENS)
        return
    body: dict[str, Any] = {"model": SETTINGS.LLM_MODEL_NAME, "messages": messages, "stream": True}
    async with (
        httpx.AsyncClient(timeout=_TIMEOUT) as client,
        client.stream("POST", f"{SETTINGS.endpoint}/chat/completions", json=body) as answer,
    ):
        if answer.status_code != 200:
            raise NoModel(f"{answer.status_code}: {(await answer.aread()).decode()[:300]}")
        async for line in answer.aiter_lines():
            data = line.removeprefix("data: ").strip()
            if not data or data == "[DONE]":
                continue
            for choice in json.loads(data).get("choices", []):
                if text := choice["delta"].get("content"):
                    yield text
