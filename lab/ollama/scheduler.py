"""Which model is in memory, who may use it now, and until when it stays.

At most OLLAMA_NUM_PARALLEL requests generate at a time. Who finds its model loaded waits for its turn, with
any number of others. Of the rest one at a time is given a model; while that waits for another model to go, or
for its own to load, OLLAMA_MAX_QUEUE wait, and one more is refused (0.24.0, server/sched.go, `GetRunner`).
A model leaves memory when it was idle for its keep-alive.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .engine import CONTEXT_CAP, SLOTS_CAP, Engine
from .settings import DEFAULT_CONTEXT, FOREVER, Settings
from .store import Store, StoredModel, timestamp

GEMMA3_270M = {"layers": 18, "kv_heads": 1, "head_dim": 256, "window": 512, "context": 32768}
# What 0.24.0 said of the same file on a CPU, bytes: the head of the file is not held, the embedding of the
# tokens is held twice; the graph has a mask as wide as the context, and more without flash attention.
_HEAD, _EMBEDDING = 6525112, 262144 * 640 * 34 // 32
_GRAPH, _GRAPH_A_TOKEN, _GRAPH_WITHOUT_FLASH = 20447224, 1024, 99 << 20

# A host of the lab with this file says that its model lies on a card. It never does: none of them has one.
CARD = Path("/etc/lab-card")

Load = Callable[[Path, int, int, str], Engine]  # GGUF, context, slots, type of the KV cache


class Busy(Exception):
    """More requests than OLLAMA_MAX_QUEUE wait for a model."""


@dataclass
class Loaded:
    """The model in memory."""

    model: StoredModel
    engine: Engine
    context: int  # as configured, tokens
    size: int  # bytes
    seconds: float  # that loading took
    keep_alive: float
    idle_since: float
    users: int = 0

    @property
    def expires(self) -> float:
        """When it leaves memory, seconds since the epoch."""
        # The real server shows a far date for "for ever".
        return min(self.idle_since + self.keep_alive, self.idle_since + 100 * 365 * 86400.0)

    def line(self) -> dict[str, Any]:
        """The entry of GET /api/ps."""
        entry = self.model.tag()
        del entry["modified_at"]
        return {
            **entry,
            "size": self.size,
            "expires_at": timestamp(self.expires),
            "size_vram": self.size if CARD.exists() else 0,
            "context_length": self.context,
        }


def kv_cache_bytes(context: int, parallel: int, kind: str) -> int:
    """Bytes of Gemma 3 270M's KV cache by Ollama's reckoning up to 0.24."""
    bytes_per = {"f16": 2.0, "q8_0": 1.0625, "q4_0": 0.5625}[kind]
    layers = GEMMA3_270M["layers"] // 6
    window = GEMMA3_270M["window"] + (1 if parallel > 1 else 0)
    globals_, locals_ = _pad(context) * parallel, _pad(parallel * window + 512)
    tokens = layers * globals_ + (GEMMA3_270M["layers"] - layers) * locals_
    return int(2 * GEMMA3_270M["kv_heads"] * GEMMA3_270M["head_dim"] * bytes_per * tokens)


def _pad(tokens: int) -> int:
    return -(-tokens // 256) * 256


class Scheduler:
    """Holds the one loaded model."""

    def __init__(self, store: Store, settings: Settings, load: Load) -> None:
        self._store, self._settings, self._load = store, settings, load
        self._lock = threading.Condition()
        self._loaded: Loaded | None = None
        self._running = 0
        self._queued = 0
        self._scheduling = False
        threading.Thread(target=self._expire, name="expire", daemon=True).start()

    def loaded(self) -> list[Loaded]:
        """What is in memory now."""
        with self._lock:
            return [self._loaded] if self._loaded else []

    @contextmanager
    def use(self, model: StoredModel, context: int, keep_alive: float | None) -> Iterator[Loaded]:
        """The model, loaded, for one request; waits for its turn, `Busy` if too many wait."""
        settings = self._settings
        wanted = context or settings.context_length or DEFAULT_CONTEXT
        wanted = min(wanted, GEMMA3_270M["context"])
        loaded = self._given(model, wanted)
        with self._lock:
            loaded.keep_alive = settings.keep_alive if keep_alive is None else keep_alive
            self._lock.wait_for(lambda: self._running < settings.num_parallel)
            self._running += 1
        try:
            yield loaded
        finally:
            with self._lock:
                self._running -= 1
                loaded.users -= 1
                loaded.idle_since = time.time()
                self._lock.notify_all()

    def _given(self, model: StoredModel, context: int) -> Loaded:
        """The model in memory, with one user more."""
        with self._lock:
            held = self._loaded
            if held and self._fits(held, model, context):
                held.users += 1
                return held
            if self._scheduling and self._queued >= self._settings.max_queue:
                raise Busy
            self._queued += 1
            self._lock.wait_for(lambda: not self._scheduling)
            self._queued -= 1
            self._scheduling = True
        try:
            with self._lock:
                self._lock.wait_for(lambda: self._free(model, context))
            loaded = self._ensure(model, context)
            with self._lock:
                loaded.users += 1
                return loaded
        finally:
            with self._lock:
                self._scheduling = False
                self._lock.notify_all()

    def unload(self, model: StoredModel) -> None:
        """Let a model go as soon as nobody uses it."""
        with self._lock:
            if self._loaded and self._loaded.model.digest == model.digest:
                self._loaded.keep_alive = 0.0
                self._lock.notify_all()

    def _free(self, model: StoredModel, context: int) -> bool:
        held = self._loaded
        return not (held and held.users and not self._fits(held, model, context))

    @staticmethod
    def _fits(held: Loaded, model: StoredModel, context: int) -> bool:
        return held.model.digest == model.digest and held.context == context

    def _ensure(self, model: StoredModel, context: int) -> Loaded:
        """The model, loaded by the one request that is scheduled now."""
        with self._lock:
            held = self._loaded
            if held and self._fits(held, model, context):
                return held
            self._loaded = held = None
        gc.collect()
        path = self._store.layer(model, "model")
        if path is None:
            raise FileNotFoundError("no model layer")
        settings = self._settings
        slots = min(settings.num_parallel, SLOTS_CAP)
        started = time.monotonic()
        engine = self._load(path, min(context, CONTEXT_CAP), slots, settings.kv_cache_type)
        cache = kv_cache_bytes(context, settings.num_parallel, settings.kv_cache_type)
        loaded = Loaded(
            model=model,
            engine=engine,
            context=context,
            size=path.stat().st_size - _HEAD + _EMBEDDING + cache + self._graph(context),
            seconds=time.monotonic() - started,
            keep_alive=settings.keep_alive,
            idle_since=time.time(),
        )
        with self._lock:
            self._loaded = loaded
        return loaded

    def _graph(self, context: int) -> int:
        plain = 0 if self._settings.flash_attention else _GRAPH_WITHOUT_FLASH
        return _GRAPH + _GRAPH_A_TOKEN * context + plain

    def _expire(self) -> None:
        with self._lock:
            while True:
                held = self._loaded
                left: float | None = None
                if held and not held.users and held.keep_alive != FOREVER:
                    left = held.expires - time.time()
                    if left <= 0:
                        self._loaded = held = None
                        gc.collect()
                        left = None
                del held  # or this thread would keep it in memory
                self._lock.wait(min(left, 3600.0) if left is not None else None)
