"""Where a host gets its files from: each by its digest, from an ordered list of places."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from schemas.data.pins import File, how_to_pin
from schemas.declared.host import Choice, DeclaredHost
from schemas.model import Artifact
from schemas.reading.problem import Problem, listed


def _urls(url: str, mirrors: tuple[str, ...]) -> tuple[str, ...]:
    """Each mirror's place for `url` (HOST/PATH, as `wget -x` lays files out), then upstream's."""
    parts = urlsplit(url)
    return (*(f"{mirror}/{parts.netloc}{parts.path}" for mirror in mirrors), url)


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
    urls = _urls(file.url, declared.mirrors.files)
    return Artifact(kind, version, file.sha256, file.size, urls)
