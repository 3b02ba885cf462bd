"""Serving: loading, what is held in memory, generation and chat by both APIs, limits and refusals."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lab import upstream_work as work
from lab.upstream_weights import GGUF_SHA256, MODEL
from schemas.data.pins import load
from schemas.plan.memory import kv_cache
from tests.lab.ollama.conftest import FEW, stock
from tests.lab.ollama.server import Release, Server

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "What is the capital of France?"},
]
# What 0.24.0 said of the lab's weights on a CPU with 16384 tokens of q4_0, bytes.
MEASURED = 480649728


def test_a_request_without_a_prompt_loads_the_model_and_ps_shows_what_it_takes(serving: Server) -> None:
    serving.json("/api/generate", {"model": MODEL, "keep_alive": 0})
    serving.until_unloaded()
    answer = serving.json("/api/generate", {"model": MODEL})
    assert (answer["done"], answer["done_reason"], answer["response"]) == (True, "load", "")
    [loaded] = serving.json("/api/ps")["models"]
    assert (loaded["name"], loaded["size_vram"], loaded["context_length"]) == (MODEL, 0, 16384)
    [tag] = serving.json("/api/tags")["models"]
    assert loaded["digest"] == tag["digest"]
    # More than the file: the embedding of the tokens is there twice, and there is the cache.
    pins, _ = load()
    assert pins
    cache = kv_cache(pins.weights[MODEL], context=16384, parallel=1, kv_type="q4_0")
    file = (work.REGISTRY / "blobs" / f"sha256-{GGUF_SHA256}").stat().st_size
    assert loaded["size"] > file + cache
    if serving.release.version.startswith("0.24."):
        assert loaded["size"] == pytest.approx(MEASURED, rel=0.01)


def test_generation_streams_lines_and_counts_tokens(serving: Server) -> None:
    lines = serving.lines("/api/generate", {"model": MODEL, "prompt": "one two", "options": FEW})
    parts, last = lines[:-1], lines[-1]
    assert parts
    assert {(line["done"], line["model"]) for line in parts} == {(False, MODEL)}
    assert (last["done"], last["response"]) == (True, "")
    # A model that was not taught to chat may stop early, too.
    assert last["done_reason"] in {"length", "stop"}
    assert 1 <= last["eval_count"] <= FEW["num_predict"]
    assert last["prompt_eval_count"] > 1
    for name in ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration"):
        assert last[name] > 0


def test_a_chat_answers_whole(serving: Server) -> None:
    answer = serving.json("/api/chat", {"model": MODEL, "messages": CHAT, "stream": False, "options": FEW})
    assert answer["message"]["role"] == "assistant"
    assert answer["message"]["content"].strip()
    assert answer["done"]
    assert 1 <= answer["eval_count"] <= FEW["num_predict"]


def test_openais_chat_answers_whole_and_in_events(serving: Server) -> None:
    body: dict[str, Any] = {"model": MODEL, "messages": CHAT, "max_tokens": 3, "temperature": 0}
    whole = serving.json("/v1/chat/completions", body)
    assert (whole["object"], whole["model"]) == ("chat.completion", MODEL)
    [choice] = whole["choices"]
    assert choice["message"]["role"] == "assistant"
    assert choice["finish_reason"] in {"length", "stop"}
    used = whole["usage"]
    assert 1 <= used["completion_tokens"] <= 3
    assert used["total_tokens"] == used["prompt_tokens"] + used["completion_tokens"]
    _, text = serving.ask(
        "/v1/chat/completions", body | {"stream": True, "stream_options": {"include_usage": True}}
    )
    *events, end = text.strip().split("\n\n")
    assert end == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert "".join(it["choices"][0]["delta"]["content"] for it in chunks if it["choices"]).strip()
    assert 1 <= chunks[-1]["usage"]["completion_tokens"] <= 3


def test_openais_list_has_the_model(serving: Server) -> None:
    assert [it["id"] for it in serving.json("/v1/models")["data"]] == [MODEL]


def test_a_model_that_is_not_there_is_404_in_the_words_of_each_api(serving: Server) -> None:
    body = {"model": "gemma3:4b", "prompt": "x", "messages": CHAT}
    for path in ("/api/generate", "/api/chat", "/api/show", "/v1/chat/completions", "/v1/completions"):
        status, text = serving.ask(path, body)
        error = json.loads(text)["error"]
        assert status == 404
        message = error["message"] if path.startswith("/v1") else error
        assert message == "model 'gemma3:4b' not found"


def test_what_the_model_cannot_is_refused_in_the_words_that_venom_waits_for(serving: Server) -> None:
    tool = {"type": "function", "function": {"name": "x", "parameters": {"type": "object"}}}
    body = {"model": MODEL, "messages": CHAT, "tools": [tool]}
    refusal = f"registry.ollama.ai/library/{MODEL} does not support tools"
    status, text = serving.ask("/v1/chat/completions", body)
    assert (status, json.loads(text)["error"]["message"]) == (400, refusal)
    status, text = serving.ask("/api/chat", body)
    assert (status, json.loads(text)) == (400, {"error": refusal})
    status, text = serving.ask("/api/chat", {"model": MODEL, "messages": CHAT, "think": True})
    assert (status, json.loads(text)) == (400, {"error": f'"{MODEL}" does not support thinking'})


def test_requests_that_are_none_are_refused(serving: Server) -> None:
    assert serving.ask("/nothing") == (404, "404 page not found")
    assert serving.ask("/api/generate") == (405, "405 method not allowed")
    status, text = serving.ask("/api/generate", method="POST")
    assert (status, json.loads(text)) == (400, {"error": "missing request body"})


def test_a_foreign_host_name_on_loopback_is_forbidden(serving: Server) -> None:
    assert serving.ask("/", host="evil.example") == (403, "")
    for own in ("localhost:11434", "127.0.0.1", "10.77.0.11", "box.local", "[::1]:1"):
        assert serving.ask("/", host=own) == (200, "Ollama is running")


def test_what_ollama_shows_of_a_model(serving: Server) -> None:
    shown = serving.json("/api/show", {"model": MODEL})
    assert "completion" in shown["capabilities"]
    assert "tools" not in shown["capabilities"]
    info = shown["model_info"]
    assert (info["general.architecture"], info["gemma3.context_length"]) == ("gemma3", 32768)
    assert (shown["details"]["format"], shown["details"]["family"]) == ("gguf", "gemma3")
    [row] = [line for line in serving.run("list").stdout.splitlines() if line.startswith(MODEL)]
    [tag] = serving.json("/api/tags")["models"]
    assert row.split()[1] == tag["digest"][:12]


def test_while_it_loads_the_queue_holds_two_and_the_rest_get_503(serving: Server) -> None:
    serving.json("/api/generate", {"model": MODEL, "keep_alive": 0})
    serving.until_unloaded()
    answers: list[tuple[int, str]] = []
    body = {"model": MODEL, "prompt": "One", "raw": True, "stream": False, "options": FEW}
    threads = [
        threading.Thread(target=lambda: answers.append(serving.ask("/api/generate", body))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    # It answers whatever it does besides.
    assert serving.json("/api/version")["version"] == serving.release.version
    assert serving.ask("/", method="HEAD") == (200, "")
    for thread in threads:
        thread.join()
    assert {status for status, _ in answers} <= {200, 503}
    refused = [json.loads(text) for status, text in answers if status == 503]
    # llama.cpp's load stops the stand-in's whole process: who comes meanwhile is answered when it is there.
    assert refused or not serving.release.genuine
    assert [it["error"] for it in refused] == [
        "server busy, please try again.  maximum pending requests exceeded"
    ] * len(refused)


def test_once_it_is_loaded_any_number_waits_for_it(serving: Server) -> None:
    serving.json("/api/generate", {"model": MODEL})
    statuses: list[int] = []
    body = {"model": MODEL, "prompt": "One", "raw": True, "stream": False, "options": {"num_predict": 1}}
    threads = [
        threading.Thread(target=lambda: statuses.append(serving.ask("/api/generate", body)[0]))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 6


def test_a_keep_alive_of_nothing_lets_the_model_go(serving: Server) -> None:
    serving.json("/api/generate", {"model": MODEL})
    answer = serving.json("/api/generate", {"model": MODEL, "keep_alive": 0})
    assert (answer["done"], answer["done_reason"]) == (True, "unload")
    serving.until_unloaded()


def test_a_context_beyond_the_models_own_is_cut_to_it(serving: Server) -> None:
    serving.json("/api/generate", {"model": MODEL, "options": {"num_ctx": 99999}})
    [loaded] = serving.json("/api/ps")["models"]
    assert loaded["context_length"] == 32768
    serving.json("/api/generate", {"model": MODEL, "keep_alive": 0})
    serving.until_unloaded()


def test_an_unknown_cache_type_is_f16_and_takes_more(release: Release, tmp_path: Path) -> None:
    stock(tmp_path / "models")
    with release.serving(
        tmp_path,
        OLLAMA_CONTEXT_LENGTH="16384",
        OLLAMA_FLASH_ATTENTION="1",
        OLLAMA_KV_CACHE_TYPE="q5_1",
        OLLAMA_NOPRUNE="1",
    ) as server:
        server.json("/api/generate", {"model": MODEL})
        [loaded] = server.json("/api/ps")["models"]
        if release.version.startswith("0.24."):
            assert loaded["size"] > MEASURED + 40 * 2**20
            assert 'msg="kv cache type not supported by model" type=q5_1' in server.log


def test_a_blob_that_was_damaged_is_no_answer(release: Release, tmp_path: Path) -> None:
    stock(tmp_path / "models")
    blob = tmp_path / "models" / "blobs" / f"sha256-{GGUF_SHA256}"
    with blob.open("rb") as file:
        half = file.read(20_000_000)
    blob.unlink()
    blob.write_bytes(half)
    with release.serving(tmp_path, OLLAMA_NOPRUNE="1") as server:
        begun = time.monotonic()
        status, _ = server.ask("/api/generate", {"model": MODEL, "prompt": "x", "stream": False})
        assert status == 500
        assert time.monotonic() - begun < 30
        # The list is made of manifests: it does not know.
        assert [it["name"] for it in server.json("/api/tags")["models"]] == [MODEL]
