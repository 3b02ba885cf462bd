"""The plan of one host: frozen dataclasses in which everything is resolved.

The one thing that cannot be known before a connection is the hardware; `schemas.plan.host.plan_host` takes
it as an argument, so the same pure function makes the plan that is printed (from assumed hardware) and the
one that is applied (from what the preflight saw).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.hardware import Drivers, Engine
from schemas.model.access import Door, Secret, Ssh
from schemas.model.fetched import Mirrors, Package, Peer, Proxy, Pull, ServedStore, Store, Tree
from schemas.model.models import Model, Ollama, Onnx, Speech, Vllm, VramTier
from schemas.model.venom import Backend, Development, Node, Python, Requirements, Source, Ui, VenomImages


@dataclass(frozen=True)
class Backup:
    """Backups of the data, made on the host by restic."""

    repository: str  # in restic's words
    password: Secret
    access: Mapping[str, Secret]  # variables of the environment, for S3
    keep: Mapping[str, int]  # daily, weekly, monthly → how many
    at: str  # hours and minutes, by the host's clock


@dataclass(frozen=True)
class Metrics:
    """What the host reports of itself, in a file for node-exporter."""

    speed: bool  # also how fast the model answers


@dataclass(frozen=True)
class HostPlan:
    """All that one host is to be."""

    host: str
    ssh: Ssh
    arch: str
    profile: str
    services: tuple[str, ...]  # of backend, ui, ollama: what runs; anything else of ours must not
    source: Source
    # None: the host makes them of the source. Else what it would be made with is not applied.
    images: VenomImages | None
    development: Development | None  # None: they run from the release
    requirements: Requirements
    python: Python
    uv: Package
    node: Node
    ui: Ui
    backend: Backend
    door: Door
    vram_tier: VramTier | None  # None exactly where `ollama` is None
    ollama: Ollama | None
    model: Model | None
    mirrors: Mirrors
    ca_bundle: str | None  # absolute path on the controller
    keep_generations: int  # on the host: what serves, and what one can go back to
    engine: Engine | None = None  # None: nothing runs from an image
    proxy: Proxy | None = None  # None: the way out is as the host has it
    store: Store | None = None
    serves_store: ServedStore | None = None
    backup: Backup | None = None
    metrics: Metrics | None = None  # None: it reports nothing
    peer: Peer | None = None  # None: it passes nothing on
    pull: Pull | None = None  # None: its plan comes by a run
    vllm: Vllm | None = None
    onnx: Onnx | None = None
    speech: Speech | None = None
    # What is asked of the cards' driver; no part of what is applied.
    drivers: Drivers = field(default_factory=Drivers)
    may_spill: bool = False  # whether a model that lies only partly in VRAM counts as serving
    notes: tuple[str, ...] = ()  # what the operator should know; no part of what is applied

    @property
    def trees(self) -> Mapping[str, tuple[Tree, Secret | None]]:
        """The models of the hub, by what computes them, each with the token that its hub wants to see."""
        servers = {"vllm": self.vllm, "onnx": self.onnx}
        trees = {name: (it.tree, it.token) for name, it in servers.items() if it}
        if it := self.speech:
            trees |= {name: (tree, it.token) for name, tree in (("stt", it.stt), ("tts", it.tts)) if tree}
        return trees
