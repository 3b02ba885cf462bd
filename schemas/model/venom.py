"""Venom itself: its source, its packages, its backend and its UI, as parts of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.model.access import Secret
from schemas.model.fetched import Artifact, Image, Package


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
class VenomImages:
    """Backend and UI as images, which hold source, packages, interpreter and build."""

    backend: Image
    frontend: Image
