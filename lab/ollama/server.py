"""The HTTP API of the stand-in: `/api/*` in Ollama's own words, `/v1/*` in OpenAI's."""

from __future__ import annotations

import ipaddress
import json
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from . import generate, openai, version
from .generate import ApiError, Generation, Request
from .names import InvalidName, ModelName
from .pull import PullError, pull
from .scheduler import Load, Scheduler
from .settings import Settings
from .store import Store, timestamp

NDJSON = "application/x-ndjson"

Body = dict[str, Any]


class Api:
    """What the endpoints do. Each gets the request's body and returns JSON, or yields lines of it."""

    def __init__(self, settings: Settings, load: Load) -> None:
        self.settings = settings
        self.store = Store(settings.models)
        self.scheduler = Scheduler(self.store, settings, load)

    def version(self, _: Body) -> Body:
        """GET /api/version; one key more than the real one's says what answers."""
        return {"version": version.RELEASE, "stand_in": True}

    def tags(self, _: Body) -> Body:
        """GET /api/tags: the models in the store."""
        return {"models": [model.tag() for model in self.store.models()]}

    def ps(self, _: Body) -> Body:
        """GET /api/ps: the models in memory."""
        return {"models": [loaded.line() for loaded in self.scheduler.loaded()]}

    def show(self, body: Body) -> Body:
        """POST /api/show: what is known of a model."""
        model = generate.readable(
            self.store,
            generate.find(self.store, body.get("model") or body.get("name")),
            ApiError(500, "invalid file magic"),
        )
        params = json.loads(self.store.text(model, "params") or "{}")
        return {
            "license": self.store.text(model, "license"),
            "modelfile": f"# A model of the lab\nFROM {model.name.shortest}\n",
            "parameters": "\n".join(f"{key:<30} {value}" for key, value in params.items()),
            "template": self.store.text(model, "template"),
            "details": model.details,
            "model_info": {
                "general.architecture": "gemma3",
                "gemma3.block_count": 18,
                "gemma3.context_length": 32768,
                "gemma3.attention.sliding_window": 512,
            },
            "capabilities": ["completion"],
            "modified_at": timestamp(model.modified),
        }

    def pull(self, body: Body) -> Body | Iterator[Body]:
        """POST /api/pull: a failure is a line under status 200, unless the stream is declined."""
        text = str(body.get("model") or body.get("name") or "")
        try:
            name = ModelName.parse(text)
        except InvalidName:
            raise ApiError(400, "invalid model name") from None
        insecure = bool(body.get("insecure"))
        lines = pull(self.store, name, insecure, no_prune=self.settings.no_prune)
        if body.get("stream", True):
            return _errors_as_lines(lines)
        last: Body = {}
        try:
            for line in lines:
                last = line
        except (PullError, OSError) as error:
            raise ApiError(500, str(error)) from None
        return last

    def copy(self, body: Body) -> None:
        """POST /api/copy: a second name."""
        try:
            source = ModelName.parse(str(body.get("source")))
            destination = ModelName.parse(str(body.get("destination")))
        except InvalidName as error:
            raise ApiError(400, f"model {str(error)!r} is invalid") from None
        if not self.store.copy(source, destination):
            raise ApiError(404, f'model "{body.get("source")}" not found')

    def delete(self, body: Body) -> None:
        """DELETE /api/delete: the model, and the blobs nobody else has."""
        model = generate.find(self.store, body.get("model") or body.get("name"))
        self.scheduler.unload(model)
        self.store.delete(model.name)

    def generate(self, body: Body) -> Body | Iterator[Body]:
        """POST /api/generate: without a prompt it only loads the model, or lets it go."""
        return self._generate(body, chat=False)

    def chat(self, body: Body) -> Body | Iterator[Body]:
        """POST /api/chat."""
        return self._generate(body, chat=True)

    def models(self, _: Body) -> Body:
        """GET /v1/models."""
        return {
            "object": "list",
            "data": [
                {
                    "id": model.name.shortest,
                    "object": "model",
                    "created": int(model.modified),
                    "owned_by": model.name.namespace,
                }
                for model in self.store.models()
            ],
        }

    def openai(self, body: Body, *, chat: bool) -> Body | Iterator[Body]:
        """POST /v1/chat/completions and /v1/completions."""
        request = generate.read_request(self.store, openai.to_ollama(body), chat=chat)
        generation = Generation(self.scheduler, request)
        if body.get("stream"):
            return openai.stream(body, generation, chat=chat)
        return openai.whole(body, generation, chat=chat)

    def _generate(self, body: Body, *, chat: bool) -> Body | Iterator[Body]:
        request = generate.read_request(self.store, body, chat=chat)
        if not body.get("messages" if chat else "prompt"):
            return self._load(body, request, chat=chat)
        lines = self._lines(body, Generation(self.scheduler, request), chat=chat)
        if body.get("stream", True):
            return lines
        whole: Body = {}
        text = ""
        for whole in lines:
            text += _text(whole, chat)
        return {**whole, **_with_text(text, chat)}

    def _load(self, body: Body, request: Request, *, chat: bool) -> Body:
        reason = "load"
        if request.keep_alive == 0:
            self.scheduler.unload(request.model)
            reason = "unload"
        else:
            # Loading is a generation of nothing.
            "".join(Generation(self.scheduler, request, load_only=True))
        head = {"model": body["model"], "created_at": timestamp(time.time()), **_with_text("", chat)}
        return {**head, "done": True, "done_reason": reason}

    def _lines(self, body: Body, generation: Generation, *, chat: bool) -> Iterator[Body]:
        started = time.monotonic()
        model = body["model"]
        for piece in generation:
            now = timestamp(time.time())
            yield {"model": model, "created_at": now, **_with_text(piece, chat), "done": False}
        finished = generation.finished
        yield {
            "model": model,
            "created_at": timestamp(time.time()),
            **_with_text("", chat),
            "done": True,
            "done_reason": finished.reason,
            "total_duration": int((time.monotonic() - started) * 1e9),
            "load_duration": int(generation.load_seconds * 1e9),
            "prompt_eval_count": finished.prompt_tokens,
            "prompt_eval_duration": int(finished.prompt_seconds * 1e9),
            "eval_count": finished.completion_tokens,
            "eval_duration": int(finished.completion_seconds * 1e9),
        }


def _with_text(text: str, chat: bool) -> Body:
    return {"message": {"role": "assistant", "content": text}} if chat else {"response": text}


def _text(line: Body, chat: bool) -> str:
    return str(line["message"]["content"] if chat else line["response"])


def _errors_as_lines(lines: Iterator[Body]) -> Iterator[Body]:
    try:
        yield from lines
    except (PullError, OSError) as error:
        yield {"error": str(error)}


def host_allowed(header: str) -> bool:
    """Whether a server bound to loopback answers under this name (the Host header)."""
    host = urlsplit(f"//{header}").hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        own = socket.gethostname().lower()
        return host in ("", "localhost", own) or host.endswith((".localhost", ".local", ".internal"))
    return address.is_loopback or address.is_private or address.is_unspecified


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Answer a GET."""
        self._answer()

    do_HEAD = do_POST = do_DELETE = do_GET

    def _answer(self) -> None:
        started = time.monotonic()
        self._status = 0
        path = unquote(urlsplit(self.path).path)
        try:
            self._route(path)
        except ApiError as error:
            shape = (
                openai.error(error.status, error.text) if path.startswith("/v1/") else {"error": error.text}
            )
            self._json(error.status, shape)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        took = f"{(time.monotonic() - started) * 1000:.1f}ms"
        line = f"| {self._status} | {took:>10} | {self.client_address[0]} | {self.command} {path}"
        print(f"[stand-in] {time.strftime('%Y/%m/%d - %H:%M:%S')} {line}", file=sys.stderr)

    def _route(self, path: str) -> None:
        body = self._body()
        if self.server.local and not host_allowed(self.headers.get("Host", "")):
            self._bytes(403, b"", "text/plain")
            return
        if path == "/" and self.command in ("GET", "HEAD"):
            self._bytes(200, b"Ollama is running", "text/plain; charset=utf-8")
            return
        method = "GET" if self.command == "HEAD" else self.command
        endpoint = self.server.routes.get((method, path))
        if endpoint is None:
            known = any(other == path for _, other in self.server.routes)
            text = b"405 method not allowed" if known else b"404 page not found"
            self._bytes(405 if known else 404, text, "text/plain")
            return
        answer = endpoint(self._parse(body))
        if answer is None:
            self._bytes(200, b"", "text/plain")
        elif isinstance(answer, dict):
            self._json(200, answer)
        else:
            self._stream(answer, events=path.startswith("/v1/"))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _parse(self, raw: bytes) -> Body:
        if self.command in ("GET", "HEAD"):
            return {}
        if not raw:
            raise ApiError(400, "missing request body")
        try:
            body = json.loads(raw)
        except ValueError as error:
            raise ApiError(400, str(error)) from None
        if not isinstance(body, dict):
            raise ApiError(400, "json: cannot unmarshal into an object")
        return body

    def _json(self, status: int, value: Body) -> None:
        self._bytes(status, json.dumps(value).encode(), "application/json; charset=utf-8")

    def _bytes(self, status: int, data: bytes, kind: str) -> None:
        self._status = status
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _stream(self, lines: Iterable[Body], *, events: bool) -> None:
        """Send the lines as they come. An error before the first one has a status of its own."""
        iterator = iter(lines)
        first = next(iterator, None)
        self._status = 200
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if events else NDJSON)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while first is not None:
                self._chunk(first, events)
                first = next(iterator, None)
        except ApiError as error:
            shape = openai.error(error.status, error.text) if events else {"error": error.text}
            self._chunk(shape, events)
        finally:
            close = getattr(iterator, "close", None)
            if close:
                close()  # a reader who went away ends the generation or the pull
        if events:
            self._write(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, line: Body, events: bool) -> None:
        text = json.dumps(line, ensure_ascii=False).encode()
        self._write(b"data: " + text + b"\n\n" if events else text + b"\n")

    def _write(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Silence: `_answer` logs."""


class Server(ThreadingHTTPServer):
    """The listening server."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, settings: Settings, load: Load) -> None:
        api = Api(settings, load)
        self.api = api
        self.routes: dict[tuple[str, str], Callable[[Body], Body | Iterator[Body] | None]] = {
            ("GET", "/api/version"): api.version,
            ("GET", "/api/tags"): api.tags,
            ("GET", "/api/ps"): api.ps,
            ("POST", "/api/show"): api.show,
            ("POST", "/api/pull"): api.pull,
            ("POST", "/api/copy"): api.copy,
            ("DELETE", "/api/delete"): api.delete,
            ("POST", "/api/generate"): api.generate,
            ("POST", "/api/chat"): api.chat,
            ("GET", "/v1/models"): api.models,
            ("POST", "/v1/chat/completions"): lambda body: api.openai(body, chat=True),
            ("POST", "/v1/completions"): lambda body: api.openai(body, chat=False),
        }
        if ":" in settings.host:
            self.address_family = socket.AF_INET6
        super().__init__((settings.host, settings.port), Handler)
        bound = ipaddress.ip_address(str(self.server_address[0]).split("%")[0])
        self.local = bound.is_loopback

    def server_bind(self) -> None:
        """Bind without the look-up of our own name that http.server would do."""
        socket.socket.setsockopt(self.socket, socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
