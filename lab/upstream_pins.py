"""Builds everything that the upstream serves and writes its digests down.

STATE/pins.yaml and STATE/images.yaml have the form of `schemas/data/pins.yaml`; an inventory of the lab
merges them over it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lab import (
    upstream_artifacts,
    upstream_images,
    upstream_ollama,
    upstream_python,
    upstream_weights,
)
from lab import upstream_work as work
from lab.state import REPOSITORY, STATE, write_whole

PINS = STATE / "pins.yaml"
IMAGES = STATE / "images.yaml"

_ARCH = "amd64"
_HEAD = """\
# What the lab's upstream serves, by digest: merged over schemas/data/pins.yaml in the lab only.
# Written by `python -m lab.upstream prepare`. A stand-in for Ollama says so in --version.
"""


_IMAGES_HEAD = """\
# The container images of the lab's registry, which stands for Docker Hub: pins like those of pins.yaml.
"""


def prepare() -> None:
    """Make what is missing, and the pins of it all."""
    work.require_tools()
    pins = yaml.safe_load((REPOSITORY / "schemas/data/pins.yaml").read_text())
    choice = upstream_ollama.chosen()
    if choice == upstream_ollama.UPSTREAM:
        upstream_ollama.require_upstream(pins, upstream_weights.MODEL)
    given = upstream_ollama.prepare_named(choice) if isinstance(choice, Path) else None
    wanted, python_pin = _pinned_python(pins)
    python = upstream_python.prepare(python_pin["url"], python_pin["sha256"])
    nodes = [upstream_artifacts.prepare_node(version) for version in upstream_artifacts.NODES]
    ollamas = [upstream_artifacts.prepare_ollama(version, python) for version in upstream_artifacts.OLLAMAS]
    lab: dict[str, Any] = {"artifacts": {"python": _entries([python]), "node": _entries(nodes)}}
    releases: dict[str, dict[str, Any]] = {}
    if python["version"] != wanted:
        releases = _releases_on(pins["releases"], wanted, python["version"])
    if choice == upstream_ollama.UPSTREAM:
        upstream_ollama.serve([])
    else:
        served = {it["version"]: it for it in ollamas}
        if given is not None:
            served[given["version"]] = given
            for name, release in pins["releases"].items():
                use = {**release["ollama"], "use": given["version"], "why": "the lab was given a file of it"}
                releases.setdefault(name, {})["ollama"] = use
        upstream_ollama.serve([*served.values()])
        lab["artifacts"]["ollama"] = _entries([*served.values()])
        weights = upstream_weights.prepare()
        lab["weights"] = {upstream_weights.MODEL: weights}
    if releases:
        lab["releases"] = releases
    write_whole(PINS, _HEAD + yaml.safe_dump(lab, sort_keys=False, width=1000))
    images = upstream_images.prepare(ollamas)
    foreign = upstream_images.OTHER_MACHINE  # no pin: nobody asks for it but by its digest
    pinned = {image.tag: image.reference for image in images if image.tag != foreign}
    write_whole(
        IMAGES, _IMAGES_HEAD + yaml.safe_dump({"images": {"ollama": pinned}}, sort_keys=False, width=1000)
    )
    print(f"upstream: ready, pins in {PINS}", flush=True)


def _pinned_python(pins: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Version and artifact of the newest pinned Python of the lab's minor version."""
    versions = [
        version for version in pins["artifacts"]["python"] if version.startswith(f"{upstream_python.MINOR}.")
    ]
    newest = max(versions, key=lambda version: [int(part) for part in version.split(".")])
    return newest, pins["artifacts"]["python"][newest][_ARCH]


def _entries(records: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        record["version"]: {_ARCH: {key: record[key] for key in ("url", "sha256", "size")}}
        for record in records
    }


def _releases_on(releases: dict[str, Any], wanted: str, version: str) -> dict[str, Any]:
    """The releases that use the pinned Python, on the one that the lab has instead."""
    return {
        name: {"python": {**release["python"], "use": version}}
        for name, release in releases.items()
        if release["python"]["use"] == wanted
    }
