"""The Ollama that the lab serves, unpacked, and a registry on loopback that it pulls from."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import upstream_ollama
from lab import upstream_work as work
from lab.upstream_http import RequestLog, Upstream
from lab.upstream_pins import PINS
from lab.upstream_registry import RegistryHandler
from lab.upstream_weights import MODEL
from tests.lab.ollama.server import Release, Server

WEIGHTS = bytes(range(256)) * 4096
TYPE = "application/vnd.ollama.image."
# Of the lab's own model, where the suite's base model would never end.
FEW = {"num_predict": 5, "temperature": 0, "seed": 1}


@pytest.fixture(scope="session")
def release(upstream: None, tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The release file that the lab serves under its first version."""
    choice = upstream_ollama.chosen()
    if choice == upstream_ollama.UPSTREAM:
        pytest.exit(f"{upstream_ollama.VARIABLE}: these tests want a release file that is here", returncode=3)
    files = yaml.safe_load(PINS.read_text())["artifacts"]["ollama"]
    version = _version_of_the_file() if isinstance(choice, Path) else next(iter(files))
    folder = tmp_path_factory.mktemp("release")
    upstream_ollama.unpack(work.FILES / files[version]["amd64"]["url"].removeprefix("https://"), folder)
    return Release(folder, version, genuine=isinstance(choice, Path))


def _version_of_the_file() -> str:
    return str(json.loads((work.ROOT / "records" / "ollama-named.json").read_text())["version"])


def blob(root: Path, data: bytes) -> dict[str, Any]:
    """Put a blob into a registry and return its manifest entry, without the media type."""
    digest = hashlib.sha256(data).hexdigest()
    (root / "blobs").mkdir(parents=True, exist_ok=True)
    (root / "blobs" / f"sha256-{digest}").write_bytes(data)
    return {"digest": f"sha256:{digest}", "size": len(data)}


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Upstream]:
    """A registry that holds gemma3:270m, made of a megabyte that is no model."""
    root = tmp_path / "registry"
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            **blob(root, json.dumps({"model_format": "gguf", "file_type": "Q4_K_M"}).encode()),
        },
        "layers": [
            {"mediaType": f"{TYPE}model", **blob(root, WEIGHTS)},
            {"mediaType": f"{TYPE}template", **blob(root, b"{{ .Prompt }}")},
            {"mediaType": f"{TYPE}params", **blob(root, b'{"num_predict":5}')},
        ],
    }
    path = root / "manifests" / "library" / "gemma3" / "270m"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(manifest, separators=(",", ":")))
    log = RequestLog(tmp_path / "requests.log")
    with Upstream(("127.0.0.1", 0), RegistryHandler, root, log) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def empty(release: Release, tmp_path: Path) -> Iterator[Server]:
    """A server with an empty store."""
    with release.serving(tmp_path / "ollama") as server:
        yield server


def stock(models: Path) -> None:
    """Lay the lab's model into a store: blobs first, then the manifest, as a copy from another host is."""
    name, tag = MODEL.split(":")
    manifest = work.REGISTRY / "manifests" / "library" / name / tag
    document = json.loads(manifest.read_text())
    (models / "blobs").mkdir(parents=True, exist_ok=True)
    for layer in [document["config"], *document["layers"]]:
        file = layer["digest"].replace(":", "-")
        # Links to read-only files of the lab: whoever changes one makes a copy before.
        (models / "blobs" / file).symlink_to(work.REGISTRY / "blobs" / file)
    place = models / "manifests" / "registry.ollama.ai" / "library" / name / tag
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(manifest.read_bytes())


@pytest.fixture(scope="session")
def serving(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the lab's model, set up as by the smallest tier, for all that change nothing."""
    folder = tmp_path_factory.mktemp("serving")
    stock(folder / "models")
    with release.serving(
        folder,
        OLLAMA_CONTEXT_LENGTH="16384",
        OLLAMA_NUM_PARALLEL="1",
        OLLAMA_MAX_QUEUE="2",
        OLLAMA_FLASH_ATTENTION="1",
        OLLAMA_KV_CACHE_TYPE="q4_0",
        OLLAMA_NOPRUNE="1",
        OLLAMA_KEEP_ALIVE="30m",
    ) as server:
        yield server
