"""What of the stand-in Ollama is its own, beside what every Ollama must do (`tests/lab/ollama`).

Generation here is a stub engine's, so that the tests need neither weights nor llama.cpp; the lab's
hosts run the real engine.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.ollama.engine import Completion, Finished, OnText
from lab.ollama.names import InvalidName, ModelName
from lab.ollama.server import Server, host_allowed
from lab.ollama.settings import FOREVER, NoHome, Settings, host_port, seconds
from lab.ollama.template import conversation
from lab.upstream_http import RequestLog, Upstream
from lab.upstream_registry import RegistryHandler

pytestmark = pytest.mark.of_the_lab

WEIGHTS = b"GGUF" + bytes(range(256)) * 4096


class Parrot:
    """An engine that says the last line of its prompt, word by word, and can be held up."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.prompts: list[str] = []

    def complete(self, completion: Completion, on_text: OnText) -> Finished:
        """Say it, at most `max_tokens` words of it."""
        self.prompts.append(completion.prompt)
        self.go.wait(10)
        words = completion.prompt.splitlines()[0].split()[: completion.max_tokens]
        for number, word in enumerate(words):
            if on_text(word if number == 0 else f" {word}"):
                break
        return Finished(prompt_tokens=7, completion_tokens=len(words))


def blob(root: Path, data: bytes) -> dict[str, Any]:
    """Put a blob into a registry and return its manifest entry, without the media type."""
    digest = hashlib.sha256(data).hexdigest()
    (root / "blobs").mkdir(parents=True, exist_ok=True)
    (root / "blobs" / f"sha256-{digest}").write_bytes(data)
    return {"digest": f"sha256:{digest}", "size": len(data)}


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Upstream]:
    """A registry that holds gemma3:270m, made of a megabyte that is no model."""
    root = tmp_path / "registry"
    kind = "application/vnd.ollama.image."
    template = b"{{ if .System }}{{ .System }}\n{{ end }}{{ .Prompt }}\nA:{{ .Response }}\n"
    manifest = {
        "schemaVersion": 2,
        "config": blob(root, json.dumps({"model_format": "gguf", "file_type": "Q4_K_M"}).encode()),
        "layers": [
            {"mediaType": f"{kind}model", **blob(root, WEIGHTS)},
            {"mediaType": f"{kind}template", **blob(root, template)},
            {"mediaType": f"{kind}params", **blob(root, b'{"num_predict":5}')},
        ],
    }
    path = root / "manifests" / "library" / "gemma3" / "270m"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(manifest, separators=(",", ":")))
    log = RequestLog(tmp_path / "requests.log")
    with Upstream(("127.0.0.1", 0), RegistryHandler, root, log) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def parrot() -> Parrot:
    """The engine that the server loads."""
    return Parrot()


def settings(tmp_path: Path, **environ: str) -> Settings:
    """The settings of a server on a free loopback port, its store below `tmp_path`."""
    return replace(Settings.read({"OLLAMA_MODELS": str(tmp_path / "models"), **environ}), port=0)


@pytest.fixture
def ollama(tmp_path: Path, parrot: Parrot) -> Iterator[Server]:
    """A running stand-in with an empty store."""
    yield from running(settings(tmp_path, OLLAMA_MAX_QUEUE="1"), parrot)


def running(given: Settings, parrot: Parrot) -> Iterator[Server]:
    """A stand-in until the test ends."""
    with Server(given, lambda *_: parrot) as server:
        server.api.store.create()
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def ask(server: Server, path: str, body: Any = None, method: str = "", host: str = "") -> tuple[int, str]:
    """Status and text of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    headers = {"Host": host} if host else {}
    method = method or ("GET" if body is None else "POST")
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def name_at(registry: Upstream, tag: str = "270m") -> str:
    """The model's name at this registry."""
    return f"127.0.0.1:{registry.server_port}/library/gemma3:{tag}"


def pull(server: Server, name: str) -> list[dict[str, Any]]:
    """The lines of a pull."""
    status, text = ask(server, "/api/pull", {"model": name, "insecure": True})
    assert status == 200
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def model(ollama: Server, registry: Upstream) -> str:
    """The plain name of a model that was pulled and copied."""
    assert pull(ollama, name_at(registry))[-1] == {"status": "success"}
    body = {"source": name_at(registry), "destination": "gemma3:270m"}
    assert ask(ollama, "/api/copy", body)[0] == 200
    return "gemma3:270m"


def test_old_blobs_that_no_manifest_names_are_pruned(ollama: Server, model: str) -> None:
    stray = ollama.api.store.blobs / f"sha256-{'0' * 64}-partial"
    stray.write_bytes(b"half")
    assert ollama.api.store.prune(3600.0) == 0
    assert ollama.api.store.prune(-1.0) == 1
    assert not stray.exists()
    assert ollama.api.store.get(ModelName.parse(model))


def test_a_generation_without_a_prompt_loads_the_model(ollama: Server, model: str) -> None:
    assert json.loads(ask(ollama, "/api/ps")[1]) == {"models": []}
    answer = json.loads(ask(ollama, "/api/generate", {"model": model})[1])
    assert (answer["done"], answer["done_reason"], answer["response"]) == (True, "load", "")
    (loaded,) = json.loads(ask(ollama, "/api/ps")[1])["models"]
    assert loaded["size_vram"] == 0
    assert loaded["size"] > len(WEIGHTS)
    assert loaded["context_length"] == 4096


def test_the_configured_context_is_what_ps_reports(tmp_path: Path, registry: Upstream) -> None:
    given = settings(tmp_path, OLLAMA_CONTEXT_LENGTH="32768", OLLAMA_KV_CACHE_TYPE="q8_0")
    for server in running(given, Parrot()):
        pull(server, name_at(registry))
        ask(server, "/api/generate", {"model": name_at(registry)})
        assert json.loads(ask(server, "/api/ps")[1])["models"][0]["context_length"] == 32768


def test_generation_streams_lines_and_counts_tokens(ollama: Server, model: str) -> None:
    _, text = ask(ollama, "/api/generate", {"model": model, "prompt": "one two three"})
    lines = [json.loads(line) for line in text.splitlines()]
    assert "".join(line["response"] for line in lines) == "one two three"
    assert [line["done"] for line in lines] == [False, False, False, True]
    assert (lines[-1]["prompt_eval_count"], lines[-1]["eval_count"]) == (7, 3)


def test_the_request_beats_the_models_own_parameters(ollama: Server, model: str) -> None:
    long = "a b c d e f g h"
    body: dict[str, Any] = {"model": model, "prompt": long, "stream": False}
    assert json.loads(ask(ollama, "/api/generate", body)[1])["response"] == "a b c d e"
    body["options"] = {"num_predict": 2}
    assert json.loads(ask(ollama, "/api/generate", body)[1])["response"] == "a b"


def test_chat_is_rendered_turn_by_turn(ollama: Server, model: str, parrot: Parrot) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": " Hello"},
        {"role": "user", "content": [{"type": "text", "text": "And?"}]},
    ]
    answer = json.loads(ask(ollama, "/api/chat", {"model": model, "messages": messages, "stream": False})[1])
    assert parrot.prompts == ["Be brief.\nHi\nA: Hello\nAnd?\nA:"]
    assert answer["message"] == {"role": "assistant", "content": "Be brief."}


def test_openai_chat_answers_whole_and_in_events(ollama: Server, model: str) -> None:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "one two"}]}
    whole = json.loads(ask(ollama, "/v1/chat/completions", body)[1])
    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["message"] == {"role": "assistant", "content": "one two"}
    assert whole["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    body |= {"stream": True, "stream_options": {"include_usage": True}}
    *events, end = ask(ollama, "/v1/chat/completions", body)[1].strip().split("\n\n")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    pieces = [chunk["choices"][0]["delta"]["content"] for chunk in chunks if chunk["choices"]]
    assert "".join(pieces) == "one two"
    assert chunks[-1]["usage"]["total_tokens"] == 9
    assert end == "data: [DONE]"


def test_while_a_model_loads_more_requests_than_the_queue_holds_get_503(
    tmp_path: Path, registry: Upstream, parrot: Parrot
) -> None:
    loading = threading.Event()

    def load(*_: object) -> Parrot:
        loading.wait(10)
        return parrot

    given = settings(tmp_path, OLLAMA_MAX_QUEUE="1")
    with Server(given, load) as server:
        server.api.store.create()
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        pull(server, name_at(registry))
        statuses: list[int] = []

        def one() -> None:
            body = {"model": name_at(registry), "prompt": "x", "stream": False}
            statuses.append(ask(server, "/api/generate", body)[0])

        threads = [threading.Thread(target=one) for _ in range(4)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 5
        while len(statuses) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        loading.set()
        for thread in threads:
            thread.join()
        server.shutdown()
    assert sorted(statuses) == [200, 200, 503, 503]


def test_for_a_model_that_is_there_any_number_waits(ollama: Server, model: str, parrot: Parrot) -> None:
    ask(ollama, "/api/generate", {"model": model})
    parrot.go.clear()
    statuses: list[int] = []

    def one() -> None:
        body = {"model": model, "prompt": "x", "stream": False}
        statuses.append(ask(ollama, "/api/generate", body)[0])

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    parrot.go.set()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 4


def test_the_server_answers_while_a_model_generates(ollama: Server, model: str, parrot: Parrot) -> None:
    parrot.go.clear()
    body = {"model": model, "prompt": "x", "stream": False}
    busy = threading.Thread(target=ask, args=(ollama, "/api/generate", body))
    busy.start()
    assert json.loads(ask(ollama, "/api/version")[1])["version"] == "0.24.0"
    assert ask(ollama, "/", method="HEAD") == (200, "")
    parrot.go.set()
    busy.join()


@pytest.mark.parametrize("header", ["", "localhost", "127.0.0.1:11434", "10.77.0.11", "box.local", "[::1]:1"])
def test_names_of_the_house_are_allowed(header: str) -> None:
    assert host_allowed(header)


@pytest.mark.parametrize(
    ("text", "shortest", "path"),
    [
        ("gemma3", "gemma3:latest", "registry.ollama.ai/library/gemma3/latest"),
        ("me/gemma3:4b", "me/gemma3:4b", "registry.ollama.ai/me/gemma3/4b"),
        (
            "http://10.77.0.1:5000/library/gemma3:270m",
            "10.77.0.1:5000/library/gemma3:270m",
            "10.77.0.1:5000/library/gemma3/270m",
        ),
    ],
)
def test_names_are_completed_and_shown_short(text: str, shortest: str, path: str) -> None:
    name = ModelName.parse(text)
    assert (name.shortest, name.path) == (shortest, path)


@pytest.mark.parametrize("text", ["", "a/b/c/d", "../x", "gemma3:", "gem ma", "https://"])
def test_what_names_no_model_is_refused(text: str) -> None:
    with pytest.raises(InvalidName):
        ModelName.parse(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", ("127.0.0.1", 11434)),
        ("0.0.0.0", ("0.0.0.0", 11434)),
        (":8080", ("0.0.0.0", 8080)),
        ("http://10.0.0.1", ("10.0.0.1", 80)),
        ("http://10.0.0.1:11434/", ("10.0.0.1", 11434)),
        ("[::1]:99", ("::1", 99)),
        ("localhost:99999", ("localhost", 11434)),
    ],
)
def test_ollama_host_is_read_by_ollamas_rules(text: str, address: tuple[str, int]) -> None:
    assert host_port(text) == address


@pytest.mark.parametrize(
    ("value", "expected"),
    [("5m", 300.0), ("1h30m", 5400.0), ("20", 20.0), ("-1", FOREVER), (-1, FOREVER), (0, 0.0), ("soon", 7.0)],
)
def test_durations_are_gos_or_seconds(value: object, expected: float) -> None:
    assert seconds(value, 7.0) == expected


def test_an_empty_variable_is_unset_and_garbage_is_true() -> None:
    given = Settings.read({"HOME": "/h", "OLLAMA_KEEP_ALIVE": "", "OLLAMA_NOPRUNE": "nonsense"})
    assert (given.keep_alive, given.no_prune) == (300.0, True)
    assert given.models == Path("/h/.ollama/models")


def test_an_unknown_cache_type_means_f16() -> None:
    assert Settings.read({"HOME": "/h", "OLLAMA_KV_CACHE_TYPE": "q5_1"}).kv_cache_type == "f16"


def test_a_quantised_cache_needs_flash_attention() -> None:
    environ = {"HOME": "/h", "OLLAMA_KV_CACHE_TYPE": "q4_0"}
    assert Settings.read(environ).kv_cache_type == "q4_0"
    assert Settings.read({**environ, "OLLAMA_FLASH_ATTENTION": "0"}).kv_cache_type == "f16"


def test_without_a_home_there_is_no_store() -> None:
    with pytest.raises(NoHome):
        Settings.read({"PATH": "/bin"})


def test_a_template_without_a_system_leaves_its_part_out() -> None:
    template = "{{ if .System }}S {{ .System }}\n{{ end }}Q {{ .Prompt }}\nA{{ .Response }}"
    assert conversation(template, [{"role": "user", "content": "x"}]) == "Q x\nA"
