"""From a request of the API to what the engine is asked, and back: options, prompt, figures."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import template
from .engine import Completion, EngineError, Finished
from .names import InvalidName, ModelName
from .scheduler import Busy, Loaded, Scheduler
from .settings import seconds
from .store import Store, StoredModel

DEFAULT_TOKENS = 256  # where neither request nor model says: the real server has no limit

_SAMPLING = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "seed": "seed",
    "repeat_penalty": "repeat_penalty",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}


class ApiError(Exception):
    """An answer with an error status and Ollama's text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True)
class Request:
    """One request to generate."""

    model: StoredModel
    prompt: str
    options: Mapping[str, Any]
    context: int
    keep_alive: float | None


def find(store: Store, text: Any) -> StoredModel:
    """The model a request names; 404 if there is none."""
    try:
        model = store.get(ModelName.parse(str(text or "")))
    except InvalidName:
        model = None
    if model is None:
        raise ApiError(404, f"model '{text}' not found")
    return model


def readable(store: Store, model: StoredModel, refusal: ApiError) -> StoredModel:
    """The model, if its file is one at all: a pull does not look, and the list does not know."""
    path = store.layer(model, "model")
    try:
        magic = path.open("rb").read(4) if path else b""
    except OSError as error:
        raise ApiError(500, f"open {path}: {(error.strerror or '').lower()}") from None
    if magic != b"GGUF":
        raise refusal
    return model


def read_request(store: Store, body: Mapping[str, Any], *, chat: bool) -> Request:
    """The request of POST /api/generate or /api/chat, with the model's own parameters beneath."""
    unable = f'"{body.get("model")}" does not support {"chat" if chat else "generate"}'
    model = readable(store, find(store, body.get("model")), ApiError(400, unable))
    if body.get("tools"):
        raise ApiError(400, f"{model.name.full} does not support tools")
    if body.get("think"):
        raise ApiError(400, f'"{model.name.shortest}" does not support thinking')
    text = store.text(model, "template") or template.DEFAULT
    if chat:
        prompt = template.conversation(text, body.get("messages") or [])
    elif body.get("raw"):
        prompt = str(body.get("prompt") or "")
    else:
        prompt = template.prompt(text, str(body.get("system") or ""), str(body.get("prompt") or ""))
    own: dict[str, Any] = json.loads(store.text(model, "params") or "{}")
    options = own | dict(body.get("options") or {})
    keep_alive = body.get("keep_alive")
    return Request(
        model=model,
        prompt=prompt,
        options=options,
        context=int(options.get("num_ctx") or 0),
        keep_alive=None if keep_alive is None else seconds(keep_alive, 300.0),
    )


def completion(request: Request) -> Completion:
    """What the engine is asked."""
    options = request.options
    limit = int(options.get("num_predict") or 0)
    stop = options.get("stop") or []
    return Completion(
        prompt=request.prompt,
        max_tokens=limit if limit > 0 else DEFAULT_TOKENS,
        stop=tuple([stop] if isinstance(stop, str) else stop),
        sampling={_SAMPLING[key]: value for key, value in options.items() if key in _SAMPLING},
    )


class Generation:
    """One running generation: iterate over its pieces, then read `finished` and `loaded`."""

    def __init__(self, scheduler: Scheduler, request: Request, *, load_only: bool = False) -> None:
        self.finished = Finished()
        self.load_seconds = 0.0
        self._scheduler, self._request = scheduler, request
        self._load_only = load_only
        self._pieces: queue.Queue[str | BaseException | None] = queue.Queue()
        self._abandoned = threading.Event()

    def __iter__(self) -> Iterator[str]:
        """The pieces as they come; `ApiError` where it cannot be done.

        It runs in a thread of its own, so that a reader who goes away ends it.
        """
        threading.Thread(target=self._run, daemon=True).start()
        try:
            while (piece := self._pieces.get()) is not None:
                if isinstance(piece, Busy):
                    text = "server busy, please try again.  maximum pending requests exceeded"
                    raise ApiError(503, text) from piece
                if isinstance(piece, BaseException):
                    raise ApiError(500, str(piece)) from piece
                yield piece
        finally:
            self._abandoned.set()

    def _run(self) -> None:
        request = self._request
        try:
            with self._scheduler.use(request.model, request.context, request.keep_alive) as loaded:
                self.load_seconds = loaded.seconds
                if not self._load_only:
                    self.finished = self._complete(loaded)
        except (Busy, EngineError, OSError, ImportError) as error:
            self._pieces.put(error)
        finally:
            self._pieces.put(None)

    def _complete(self, loaded: Loaded) -> Finished:
        def on_text(text: str) -> bool:
            self._pieces.put(text)
            return self._abandoned.is_set()

        return loaded.engine.complete(completion(self._request), on_text)
