"""What a host gets from elsewhere, each thing by its digest, and from where: parts of a plan."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.model.access import Secret


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
class Store:
    """The fleet's store: the first place from which a host gets what it fetches."""

    url: str  # as this host reaches it, without a slash at its end
    closed: bool  # nothing comes from elsewhere, but for mirrors: the host has no Internet

    def place(self, face: str) -> str:
        """The URL of a path in its tree (schemas/plan/item.py)."""
        return f"{self.url}/{face}"


@dataclass(frozen=True)
class Pull:
    """How a host gets its plan by itself."""

    every: int  # seconds between two tries
    signers: tuple[str, ...]  # public SSH keys, each "TYPE BASE64": whose plans it applies


@dataclass(frozen=True)
class Puller:
    """A host that pulls, as the host that serves its store knows it."""

    name: str
    address: str  # from which its receipts come; empty where the inventory has only a name of it
    every: int  # seconds between two tries


@dataclass(frozen=True)
class ServedStore:
    """The same on the host that serves it."""

    port: int
    allow_from: tuple[str, ...]  # networks that may read it, besides the host itself
    pullers: tuple[Puller, ...] = ()  # hosts that ask it for their plans, and report there


@dataclass(frozen=True)
class Peer:
    """What a host that asks the store passes on to others of the fleet."""

    port: int
    allow_from: tuple[str, ...]  # networks that may have it
    url: str  # as others reach it, without a slash at its end
