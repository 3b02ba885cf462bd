"""The shell line that brings an artifact to a host: from its first source that has the right bytes."""

from __future__ import annotations

import shlex

from engine.paths import CACHE
from schemas.model import Artifact


def archive_path(artifact: Artifact) -> str:
    """Where the archive lies on the host until it is unpacked."""
    return f"{CACHE}/{artifact.filename}"


def fetch_line(artifact: Artifact) -> str:
    """A call of the job library's `fetch`, which verifies before anything is in place."""
    return shlex.join(["fetch", archive_path(artifact), artifact.sha256, str(artifact.size), *artifact.urls])
