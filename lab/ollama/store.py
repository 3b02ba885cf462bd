"""Ollama's store on disk: `manifests/HOST/NAMESPACE/MODEL/TAG` and `blobs/sha256-HEX`.

A manifest is kept byte for byte as the registry sent it: its sha256 is the model's digest.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .names import ModelName

LAYER = "application/vnd.ollama.image."


@dataclass(frozen=True)
class StoredModel:
    """A model whose manifest is in the store."""

    name: ModelName
    digest: str  # hex sha256 of the manifest file
    manifest: dict[str, Any]
    config: dict[str, Any]
    modified: float  # seconds since the epoch

    @property
    def size(self) -> int:
        """Bytes of all its blobs."""
        layers: list[dict[str, Any]] = self.manifest["layers"]
        return int(self.manifest["config"]["size"]) + sum(int(layer["size"]) for layer in layers)

    @property
    def details(self) -> dict[str, Any]:
        """The `details` that the API shows of a model."""
        return {
            "parent_model": "",
            "format": self.config.get("model_format", ""),
            "family": self.config.get("model_family", ""),
            "families": self.config.get("model_families"),
            "parameter_size": self.config.get("model_type", ""),
            "quantization_level": self.config.get("file_type", ""),
        }

    def tag(self) -> dict[str, Any]:
        """The entry of GET /api/tags."""
        return {
            "name": self.name.shortest,
            "model": self.name.shortest,
            "modified_at": timestamp(self.modified),
            "size": self.size,
            "digest": self.digest,
            "details": self.details,
        }


def timestamp(when: float) -> str:
    """RFC 3339, as Go prints it."""
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Store:
    """The models below one directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.manifests = root / "manifests"
        self.blobs = root / "blobs"

    def create(self) -> None:
        """Make the directories; OSError where they cannot be made."""
        self.blobs.mkdir(parents=True, exist_ok=True)
        self.manifests.mkdir(exist_ok=True)

    def blob(self, digest: str) -> Path:
        """Where the blob of "sha256:HEX" lies."""
        return self.blobs / digest.replace(":", "-")

    def layer(self, model: StoredModel, kind: str) -> Path | None:
        """The blob of a model's layer (model, template, params, license), if it has one."""
        for layer in model.manifest["layers"]:
            if layer["mediaType"] == LAYER + kind:
                return self.blob(layer["digest"])
        return None

    def text(self, model: StoredModel, kind: str) -> str:
        """The text of a model's layer; empty where it has none."""
        path = self.layer(model, kind)
        return path.read_text() if path else ""

    def get(self, name: ModelName) -> StoredModel | None:
        """The model of this name, or None: not there, or unreadable."""
        path = self.manifests / name.path
        try:
            raw = path.read_bytes()
            manifest = json.loads(raw)
            config = json.loads(self.blob(manifest["config"]["digest"]).read_bytes())
        except (OSError, ValueError, KeyError, TypeError):
            return None
        digest = hashlib.sha256(raw).hexdigest()
        return StoredModel(name, digest, manifest, config, path.stat().st_mtime)

    def models(self) -> list[StoredModel]:
        """All models, the newest first."""
        found = [self.get(name) for name in self._names()]
        return sorted((model for model in found if model), key=lambda one: -one.modified)

    def write(self, name: ModelName, manifest: bytes) -> None:
        """Write a manifest: the last step of a pull."""
        path = self.manifests / name.path
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        part.write_bytes(manifest)
        part.replace(path)

    def copy(self, source: ModelName, destination: ModelName) -> bool:
        """Give a model a second name; False if there is no such model."""
        path = self.manifests / source.path
        if not path.is_file():
            return False
        self.write(destination, path.read_bytes())
        return True

    def delete(self, name: ModelName) -> bool:
        """Remove a model, and the blobs that no other model has; False if there is no such model."""
        model = self.get(name)
        if model is None:
            return False
        path = self.manifests / name.path
        path.unlink()
        for parent in list(path.parents)[:3]:
            if any(parent.iterdir()):
                break
            parent.rmdir()
        self.drop_unreferenced(model.manifest)
        return True

    def drop_unreferenced(self, manifest: dict[str, Any]) -> None:
        """Remove those blobs of this manifest that no manifest in the store names."""
        used = self._referenced()
        for layer in [manifest["config"], *manifest["layers"]]:
            if layer["digest"] not in used:
                self.blob(layer["digest"]).unlink(missing_ok=True)

    def prune(self, older_than: float) -> int:
        """Remove blobs (partial ones too) that no manifest names, if that many seconds old."""
        used = {self.blob(digest).name for digest in self._referenced()}
        removed = 0
        for path in self.blobs.glob("*"):
            if path.name not in used and path.stat().st_mtime < time.time() - older_than:
                path.unlink()
                removed += 1
        return removed

    def _names(self) -> Iterator[ModelName]:
        for path in self.manifests.glob("*/*/*/*"):
            if path.is_file() and not path.name.startswith("."):
                host, namespace, model, tag = path.relative_to(self.manifests).parts
                yield ModelName(host, namespace, model, tag)

    def _referenced(self) -> set[str]:
        used: set[str] = set()
        for name in self._names():
            try:
                manifest = json.loads((self.manifests / name.path).read_bytes())
                layers = [manifest["config"], *manifest["layers"]]
                used.update(layer["digest"] for layer in layers)
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return used
