"""The shell line that brings an artifact to a host: from its first source that has the right bytes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from engine.component import Need
from engine.paths import CACHE
from schemas.model import Artifact, Store


def archive_path(artifact: Artifact) -> str:
    """Where the archive lies on the host until it is unpacked."""
    return f"{CACHE}/{artifact.filename}"


def fetch_line(artifact: Artifact) -> str:
    """A call of the job library's `fetch`, which verifies before anything is in place."""
    return shlex.join(["fetch", archive_path(artifact), artifact.sha256, str(artifact.size), *artifact.urls])


def part_path(artifact: Artifact) -> str:
    """Where `fetch` looks for what came of the archive before, and goes on from."""
    return f"{archive_path(artifact)}.{artifact.sha256[:8]}.part"


def sources_of(store: Store | None, face: str, mirror: str) -> tuple[str, ...]:
    """URLs one of which must answer for what a tool fetches itself; none where the public places will do.

    `face`: its place in the fleet's store; `mirror`: of the operator's own, or empty.
    """
    own = (mirror,) if mirror else ()
    if store is None or not (mirror or store.closed):
        return own
    return (store.place(face), *own)


# An archive unpacks to about so many times its size.
UNPACKED = 3


def need_of(artifact: Artifact, unless: Mapping[str, str], into: str, typical: int) -> Need:
    """That the artifact comes, and is unpacked below `into`. `typical`: bytes, where upstream states none."""
    size = artifact.size or typical
    return Need(
        what=f"{artifact.name} {artifact.version}",
        unless=unless,
        disk={CACHE: size, into: size * UNPACKED},
        sources=artifact.urls,
    )
