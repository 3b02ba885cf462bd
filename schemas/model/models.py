"""The model servers and their models, as parts of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.model.access import Secret
from schemas.model.fetched import Artifact, Image, Tree


@dataclass(frozen=True)
class VramTier:
    """A VRAM tier as the contract has it; in a plan, with what the inventory sets in place of that."""

    name: str
    min_vram_bytes: int  # what its smallest card reports
    max_vram_bytes: int | None  # what its largest card has; None: no limit
    context_length: int
    num_parallel: int
    max_queue: int
    flash_attention: bool
    kv_cache_type: str
    keep_alive: str


@dataclass(frozen=True)
class Ollama:
    """The Ollama server."""

    version: str
    artifact: Artifact | None  # None exactly where it runs from `image`
    image: Image | None
    port: int
    env: Mapping[str, str]  # complete environment of the server, OLLAMA_HOST included
    min_driver: str  # that whatever NVIDIA card needs, e.g. "531"
    cards: tuple[str, ...] = ()  # vendors of the host's cards, which a container has to be given


@dataclass(frozen=True)
class MemoryNeed:
    """What model and tier need together, in bytes (facts: "Will it fit")."""

    weights: int
    kv_cache: int
    graph: int
    reserve: int

    @property
    def total(self) -> int:
        """Bytes of VRAM, or of main memory where there is no card."""
        return self.weights + self.kv_cache + self.graph + self.reserve


@dataclass(frozen=True)
class Model:
    """The Gemma 3 weights."""

    name: str  # the plain name, e.g. "gemma3:4b"
    digest: str  # hex sha256 of the manifest: the `digest` of GET /api/tags
    size: int  # bytes of the model layer
    pull_name: str  # what to pull: the plain name, or "host:port/library/gemma3:4b" of a LAN registry
    insecure: bool  # the registry speaks plain http
    need: MemoryNeed


@dataclass(frozen=True)
class Vllm:
    """The vLLM server, and what it may take of the card."""

    version: str
    requires: tuple[str, ...]  # what its lock is made of
    python: Artifact
    disk: int  # bytes of its environment
    driver: str  # oldest of NVIDIA's that its CUDA runs with
    port: int
    tree: Tree
    context: int  # tokens
    eager: bool  # without CUDA graphs
    share: str  # of the card's memory, e.g. "0.62"
    token: Secret | None  # for a gated tree


@dataclass(frozen=True)
class Onnx:
    """ONNX Runtime GenAI in the backend's process."""

    tree: Tree
    provider: str  # what it computes on: cpu
    memory: int  # bytes, resident while it serves
    token: Secret | None  # for a gated tree


@dataclass(frozen=True)
class Speech:
    """Speech in the backend's process: to text, from text, or both."""

    stt: Tree | None  # of faster-whisper
    tts: Tree | None  # of piper
    settings: Mapping[str, str]  # where in the trees the models lie, by the backend's names
    memory: int  # bytes, resident while it serves
    token: Secret | None  # for gated trees
