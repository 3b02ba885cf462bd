"""Where a host gets its files from: each by its digest, from an ordered list of places."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from schemas.data.image_reference import Reference, image
from schemas.data.pins import File, how_to_pin
from schemas.declared.host import Choice, DeclaredHost
from schemas.model import Artifact, Image
from schemas.reading.problem import Problem, listed


def places(url: str, declared: DeclaredHost) -> tuple[str, ...]:
    """Where a file is had from: store, each mirror (HOST/PATH, as `wget -x` lays files out), upstream."""
    parts, store = urlsplit(url), declared.store
    path = f"{parts.netloc}{parts.path}"
    first = (store.place(f"files/{path}"),) if store else ()
    last = () if store and store.closed else (url,)
    return (*first, *(f"{mirror}/{path}" for mirror in declared.mirrors.files), *last)


def image_of(declared: DeclaredHost, name: str, version: str, reference: Reference) -> Image:
    """The image with the registries that may have it: the store, each mirror, then its own."""
    store = declared.store
    first = (store.url,) if store else ()
    return image(
        name, version, reference, (*first, *declared.mirrors.images), upstream=not (store and store.closed)
    )


def artifact(
    declared: DeclaredHost, arch: str, kind: str, version: str, problems: list[Problem]
) -> Artifact | None:
    """The file of `kind` (python, node, ollama) for this architecture, or None and a problem."""
    choice: Choice = {
        "python": declared.python,
        "node": declared.node,
        "ollama": declared.ollama,
    }[kind]
    pinned: Mapping[str, File] = declared.pins.artifacts[kind].get(version, {})
    files = choice.files or pinned
    file = files.get(arch)
    if file is None:
        found = f"{kind} {version} for {arch}: no digest is known"
        problems.append(
            declared.problem(
                (kind,), found, f"{arch} of {listed(files) or 'none'}", how_to_pin(kind, version)
            )
        )
        return None
    urls = places(file.url, declared)
    return Artifact(kind, version, file.sha256, file.size, urls)
