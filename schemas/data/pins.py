"""What may be installed (`pins.yaml` and the files an inventory adds) as typed data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from schemas.data.image_reference import Reference
from schemas.data.version import is_range
from schemas.reading.document import Document, Keys, read
from schemas.reading.problem import Problem
from schemas.reading.validate import Sound, schema, validate, without_required

_PATH = Path(__file__).with_name("pins.yaml")
_HOW_TO_PIN = {
    "python": "SHA256SUMS of the python-build-standalone release",
    "node": "SHASUMS256.txt beside the file on nodejs.org",
    "ollama": "sha256sum.txt of the Ollama release (its lines read <hex>  ./<asset>)",
}


@dataclass(frozen=True)
class Weights:
    """A Gemma 3 tag: digests (hex sha256), size of the model layer in bytes, and its shape."""

    name: str
    manifest: str
    layer: str
    bytes: int
    embedding: Mapping[str, Any]  # of the tokens: vocabulary, width, and the type that they are stored in
    layers: int
    kv_heads: int
    head_dim: int
    window: int  # tokens
    max_context: int  # tokens
    text_only: bool


@dataclass(frozen=True)
class File:
    """One architecture's file of an artifact. `size` is 0 where no source states it."""

    url: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Release:
    """A release of Venom, and what it wants."""

    name: str
    commit: str
    git: str
    python: str  # range
    python_use: str  # pinned version
    node: str  # range
    node_use: str
    ollama_wants: str
    ollama_use: str
    ollama_why: str
    add: tuple[str, ...]
    fonts: tuple[str, ...]


@dataclass(frozen=True)
class Font:
    """An npm package that carries a font, and the family name that the UI asks for."""

    version: str
    integrity: str
    family: str


@dataclass(frozen=True)
class PinnedEngine:
    """A model server beside Ollama."""

    version: str
    requires: tuple[str, ...]  # what its lock is made of
    arch: tuple[str, ...]
    driver: str  # oldest of NVIDIA's
    capability: str  # lowest compute capability of a card
    bytes: int  # of its environment on the disk


@dataclass(frozen=True)
class PinnedTree:
    """A model of the hub: a repository at a commit."""

    commit: str  # 40 hex digits
    kv_bytes_per_token: int  # 0: no language model
    files: Mapping[str, tuple[str, int]]  # path → hex sha256 and bytes


@dataclass(frozen=True)
class Pins:
    """Everything that is pinned, merged."""

    releases: Mapping[str, Release]
    artifacts: Mapping[str, Mapping[str, Mapping[str, File]]]  # kind → version → architecture
    # Range of Ollama versions → range of compute capabilities (empty: every card) → oldest NVIDIA driver.
    drivers: Mapping[str, Mapping[str, str]]
    known_by: Mapping[str, str]  # range of compute capabilities → range of the drivers that know such a card
    chips: Mapping[str, str]  # first PCI device of a generation of cards, hexadecimal → compute capability
    uv_version: str
    uv_wheels: Mapping[str, str]  # architecture → hex sha256
    uv_sizes: Mapping[str, int]  # architecture → bytes; none where no source states it
    engines: Mapping[str, PinnedEngine]
    registries: Mapping[str, str]  # pypi, npm, ollama, hub → the public one's URL, without a slash at its end
    fonts: Mapping[str, Font]
    weights: Mapping[str, Weights]  # from the smallest to the largest
    images: Mapping[str, Mapping[str, Reference]]  # what is in them → version
    trees: Mapping[str, PinnedTree]  # by repository


def how_to_pin(kind: str, version: str) -> str:
    """What to do about an artifact (python, node, ollama) that has no digest."""
    return (
        f"take its sha256 from {_HOW_TO_PIN[kind]} and write "
        f'{kind}: {{version: "{version}", artifact: {{url: …, sha256: …}}}}'
    )


def load(
    paths: Iterable[tuple[Path, str]] = (), sound: Sound | None = None
) -> tuple[Pins | None, list[Problem]]:
    """The product's pins with further files (path, name in messages) merged over them, in order.

    What is in `sound` was valid before. Gives None, and why, where a file cannot be read or what it makes of
    the whole is incomplete.
    """
    merged = _product()
    problems: list[Problem] = []
    last: Document | None = None
    for path, name in paths:
        document = read(path, name)
        problems += document.problems
        if document.data is None or document.problems:
            continue
        faults = validate(document, without_required(schema("pins")), sound=sound)
        problems += faults.problems
        merged = _merge(merged, faults.data)
        last = document
    if problems:
        return None, problems
    if last is not None:
        # A file that adds an entry may leave out half of it: only the whole can be judged.
        whole = Document(last.path, last.name, merged, last.lines, last.raw)
        problems = validate(whole, schema("pins"), sound=sound).problems
    problems += _references(merged, last) if not problems else []
    return (None, problems) if problems else (_typed(merged), [])


@cache
def _product() -> dict[str, Any]:
    """The product's own pins. Nobody changes them: merging makes a copy."""
    data: dict[str, Any] = read(_PATH).data
    return data


def _merge(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{key: _merge(base.get(key), value) for key, value in over.items()}}
    return over


def _references(data: dict[str, Any], document: Document | None) -> list[Problem]:
    """Names that point nowhere, and ranges that are none."""
    where = document or Document(_PATH, _PATH.name, data)
    problems = []
    for name, release in data["releases"].items():
        keys: Keys = ("releases", name)
        for kind in ("python", "node", "ollama"):
            known = data["artifacts"][kind]
            if release[kind]["use"] not in known:
                at = (*keys, kind, "use")
                version = release[kind]["use"]
                hint = f"add it under artifacts.{kind}"
                problems.append(where.problem(at, f'"{version}"', ", ".join(known), hint))
        for kind in ("python", "node"):
            if not is_range(release[kind]["requires"]):
                at = (*keys, kind, "requires")
                found = f'"{release[kind]["requires"]}"'
                problems.append(where.problem(at, found, 'a range such as ">=3.12,<3.13"'))
        for i, font in enumerate(release.get("fonts", ())):
            if font not in data["fonts"]:
                problems.append(where.problem((*keys, "fonts", i), f'"{font}"', ", ".join(data["fonts"])))
    for at, text in _ranges_of_drivers(data):
        if not is_range(text):
            problems.append(where.problem(at, f'"{text}"', 'a range such as ">=0.32"'))
    return problems


def _ranges_of_drivers(data: dict[str, Any]) -> Iterator[tuple[Keys, str]]:
    """The ranges of Ollama's versions, of compute capabilities and of drivers, and where each stands."""
    for versions, driver in data["drivers"].items():
        yield ("drivers", versions), versions
        for cards in driver if isinstance(driver, dict) else ():
            yield ("drivers", versions, cards), cards
    for cards, known_by in data["known_by"].items():
        yield ("known_by", cards), cards
        yield ("known_by", cards), known_by


def _typed(data: dict[str, Any]) -> Pins:
    weights = [Weights(name=name, **entry) for name, entry in data["weights"].items()]
    return Pins(
        releases={name: _release(name, entry) for name, entry in data["releases"].items()},
        artifacts={
            kind: {
                version: {
                    arch: File(file["url"], file["sha256"], file.get("size", 0))
                    for arch, file in files.items()
                }
                for version, files in versions.items()
            }
            for kind, versions in data["artifacts"].items()
        },
        drivers={of: it if isinstance(it, dict) else {"": it} for of, it in data["drivers"].items()},
        known_by=data["known_by"],
        chips=data["chips"],
        uv_version=data["uv"]["version"],
        uv_wheels={arch: wheel["sha256"] for arch, wheel in data["uv"]["wheels"].items()},
        uv_sizes={arch: wheel["size"] for arch, wheel in data["uv"]["wheels"].items() if "size" in wheel},
        engines={name: PinnedEngine(**_frozen(entry)) for name, entry in data["engines"].items()},
        registries=data["registries"],
        fonts={name: Font(**entry) for name, entry in data["fonts"].items()},
        weights={w.name: w for w in sorted(weights, key=lambda w: w.bytes)},
        images={
            name: {version: Reference.of(text) for version, text in versions.items()}
            for name, versions in data.get("images", {}).items()
        },
        trees={name: _tree(entry) for name, entry in data["trees"].items()},
    )


def _tree(entry: dict[str, Any]) -> PinnedTree:
    files = {path: (file["sha256"], file["size"]) for path, file in sorted(entry["files"].items())}
    return PinnedTree(entry["commit"], entry.get("kv_bytes_per_token", 0), files)


def _frozen(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}


def _release(name: str, entry: dict[str, Any]) -> Release:
    return Release(
        name=name,
        commit=entry["commit"],
        git=entry["git"],
        python=entry["python"]["requires"],
        python_use=entry["python"]["use"],
        node=entry["node"]["requires"],
        node_use=entry["node"]["use"],
        ollama_wants=entry["ollama"]["wants"],
        ollama_use=entry["ollama"]["use"],
        ollama_why=entry["ollama"].get("why", ""),
        add=tuple(entry.get("add", ())),
        fonts=tuple(entry.get("fonts", ())),
    )
