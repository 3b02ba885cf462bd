"""The plan of one host: frozen dataclasses in which everything is resolved.

The one thing that cannot be known before a connection is the hardware; `schemas.plan.host.plan_host` takes
it as an argument, so the same pure function makes the plan that is printed (from assumed hardware) and the
one that is applied (from what the preflight saw).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.hardware import Drivers, Engine


@dataclass(frozen=True)
class Artifact:
    """A file with a version, a digest and an ordered list of places to get it from (mirrors first)."""

    name: str  # python, node, ollama, uv
    version: str
    sha256: str
    size: int  # bytes; 0 where no source states it
    urls: tuple[str, ...]

    @property
    def filename(self) -> str:
        """The file's own name, as upstream publishes it."""
        return self.urls[-1].rsplit("/", 1)[-1].replace("%2B", "+")


@dataclass(frozen=True)
class Image:
    """A container image, pinned by the digest of its manifest, or of its list of architectures."""

    name: str  # ours: ollama, backend, frontend
    version: str  # of what is in it
    sha256: str  # that digest, hex
    places: tuple[str, ...]  # URLs to pull it from by digest, mirrors first; http: a registry without TLS


@dataclass(frozen=True)
class Package:
    """A package of a registry (PyPI, npm), pinned by version and digest."""

    name: str
    version: str
    integrity: str  # PyPI: hex sha256 of the wheel; npm: the registry's own "sha512-…"


@dataclass(frozen=True)
class Secret:
    """A reference to a secret: never its value."""

    kind: str  # env, file, command
    target: str  # the variable's name, the path (absolute), the command line


@dataclass(frozen=True)
class OllamaClients:
    """Other machines that may ask Ollama itself, through the door."""

    allow_from: tuple[str, ...]  # networks
    port: int


@dataclass(frozen=True)
class Door:
    """The one way in: nginx in front of backend and UI."""

    exposure: str  # loopback, lan
    allow_from: tuple[str, ...]  # networks that may come in besides the host itself
    port: int
    names: tuple[str, ...]  # under which it is opened; the host's own and its address are among them
    tls: str  # none, self-made (the host makes its certificate), own
    certificate: str  # own: absolute path on the controller; else empty
    key: Secret | None  # of that certificate
    users: Mapping[str, Secret]  # name → hash of the password; none: nobody is asked for one
    runtime_control: bool  # whether POST /api/v1/runtime/… is let through
    firewall: bool
    ollama: OllamaClients | None

    @property
    def networks(self) -> tuple[str, ...]:
        """Every network that may come in anywhere."""
        return (*self.allow_from, *(self.ollama.allow_from if self.ollama else ()))


@dataclass(frozen=True)
class Ssh:
    """How to reach the host."""

    address: str
    # None: what ~/.ssh/config says of the address, and else 22 and root.
    port: int | None
    user: str | None
    key: str | None  # absolute path; None: what ~/.ssh/config says, the agent and the user's default keys
    known_hosts: str | None  # absolute path; None: the user's own
    sudo: bool | None  # None: unless the user turns out to be root

    def __str__(self) -> str:
        """As it is written on ssh's command line."""
        return f"{self.user}@{self.address}" if self.user else self.address


@dataclass(frozen=True)
class Source:
    """Where Venom's source comes from."""

    # git (URL), repository (a local git repository), tree (a local directory, as it is), image (held by one)
    kind: str
    location: str  # URL or absolute path; empty for an image
    commit: str  # 40 hex digits; empty for a tree or image, which is identified by its content
    release: str  # the pinned release whose expectations hold for it, e.g. "v1.9.0"


@dataclass(frozen=True)
class Development:
    """Backend and UI from a developer's tree that lies on the host, with `--reload` and `next dev`."""

    tree: str  # absolute path on the host
    user: str  # whose it is


@dataclass(frozen=True)
class Requirements:
    """Which Python packages the backend gets."""

    tier: str  # the contract's name: api, web, ollama, vllm, onnx, onnx-cpu, academy, full, docker-minimal
    extras: tuple[str, ...]  # further tiers on top, by name
    files: tuple[str, ...]  # candidates in Venom's tree: tier first, then the extras' files
    add: tuple[str, ...]  # requirements that start-up needs and the files forget, e.g. "pillow"


@dataclass(frozen=True)
class Python:
    """The interpreter of the backend: the host's own where it is in range, else the pinned one."""

    requires: str  # PEP 440 specifier, e.g. ">=3.12,<3.13"
    version: str  # of the interpreter that is used, e.g. "3.12.14"
    artifact: Artifact | None  # None: the host's own /usr/bin/python3

    @property
    def minor(self) -> str:
        """Major and minor, e.g. "3.12": what wheels and locks depend on."""
        return ".".join(self.version.split(".")[:2])


@dataclass(frozen=True)
class Node:
    """The pinned Node.js, which carries its npm."""

    version: str
    artifact: Artifact


@dataclass(frozen=True)
class Ui:
    """The Next.js UI: what is baked in at build, and what it is started with (`next dev`, too)."""

    port: int
    build_env: Mapping[str, str]
    run_env: Mapping[str, str]
    fonts: tuple[Package, ...]  # npm packages that carry the fonts the build would fetch
    font_families: Mapping[str, str]  # npm package name → family name the UI asks for


@dataclass(frozen=True)
class Backend:
    """The FastAPI backend."""

    port: int
    process_env: Mapping[str, str]  # exported by the unit: the panel cannot change these
    env_file: Mapping[str, str]  # managed by key in venom.env, which the panel edits too
    secrets: Mapping[str, Secret]  # keys of venom.env whose values are never in a plan
    ready_timeout: int  # seconds until /healthz must answer


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
class TreeFile:
    """A file of a tree."""

    path: str  # within it
    sha256: str
    size: int  # bytes
    urls: tuple[str, ...]  # places to get it from: the store and mirrors first


@dataclass(frozen=True)
class Tree:
    """A model of the hub: a repository at a commit, with all of its files."""

    repository: str
    commit: str  # 40 hex digits
    files: tuple[TreeFile, ...]
    path: str  # where it lies on the host; its name is a key of all that it is
    hub: str  # the URL below which its token is of use; not a mirror's, not the store's

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return sum(it.size for it in self.files)


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
class Mirrors:
    """Places of the operator's own; empty means upstream's."""

    files: tuple[str, ...]  # base URLs that hold upstream files under HOST/PATH, as `wget -x` writes them
    pypi: str  # index URL
    npm: str  # registry URL
    ollama: str  # host:port, or a URL
    images: tuple[str, ...] = ()  # URLs of registries that have the images of others under the same path


@dataclass(frozen=True)
class Proxy:
    """The HTTP proxy by which a host gets what it downloads."""

    url: str  # without credentials
    exempt: tuple[str, ...]  # hosts, domains (without a dot in front) and networks that are reached directly
    credentials: Secret | None  # user:password


@dataclass(frozen=True)
class Backup:
    """Backups of the data, made on the host by restic."""

    repository: str  # in restic's words
    password: Secret
    access: Mapping[str, Secret]  # variables of the environment, for S3
    keep: Mapping[str, int]  # daily, weekly, monthly → how many
    at: str  # hours and minutes, by the host's clock


@dataclass(frozen=True)
class Store:
    """The fleet's store: the first place from which a host gets what it fetches."""

    url: str  # as this host reaches it, without a slash at its end
    closed: bool  # nothing comes from elsewhere, but for mirrors: the host has no Internet

    def place(self, face: str) -> str:
        """The URL of a path in its tree (schemas/plan/item.py)."""
        return f"{self.url}/{face}"


@dataclass(frozen=True)
class ServedStore:
    """The same on the host that serves it."""

    port: int
    allow_from: tuple[str, ...]  # networks that may read it, besides the host itself


@dataclass(frozen=True)
class Metrics:
    """What the host reports of itself, in a file for node-exporter."""

    speed: bool  # also how fast the model answers


@dataclass(frozen=True)
class Peer:
    """What a host that asks the store passes on to others of the fleet."""

    port: int
    allow_from: tuple[str, ...]  # networks that may have it
    url: str  # as others reach it, without a slash at its end


@dataclass(frozen=True)
class VenomImages:
    """Backend and UI as images, which hold source, packages, interpreter and build."""

    backend: Image
    frontend: Image


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
    vllm: Vllm | None = None
    onnx: Onnx | None = None
    # What is asked of the cards' driver; no part of what is applied.
    drivers: Drivers = field(default_factory=Drivers)
    may_spill: bool = False  # whether a model that lies only partly in VRAM counts as serving
    notes: tuple[str, ...] = ()  # what the operator should know; no part of what is applied

    @property
    def engines(self) -> Mapping[str, Vllm | Onnx]:
        """The model servers beside Ollama, by the inventory's names."""
        named = {"vllm": self.vllm, "onnx": self.onnx}
        return {name: it for name, it in named.items() if it}
