"""Speech as a component and in its lock: what it brings, and that it brings nothing unasked."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import yaml

from engine.component import Component
from engine.environment import Lock
from engine.release import Release
from fleet.builds import Build
from fleet.components import components
from roles.backend.deploy import environment_job
from roles.backend.lock import FOLDER, name
from roles.backend.requires import listed
from roles.door.secrets import Revealed
from schemas.hardware import Hardware
from schemas.inventory import load
from schemas.model import HostPlan
from schemas.plan.host import plan_host
from tests.roles.plans import components_of
from tests.roles.plans import plan as light_plan

FILES = {
    "a/whisper": ("config.json", "model.bin", "tokenizer.json"),
    "a/voice": ("pl/voice.onnx", "pl/voice.onnx.json"),
}


@cache
def plan() -> HostPlan:
    trees = {
        of: {"commit": "0" * 40, "files": {it: {"sha256": "0" * 64, "size": 100} for it in paths}}
        for of, paths in FILES.items()
    }
    host = {"profile": "full", "engines": {"speech": {"stt": "a/whisper", "tts": "a/voice"}}}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "trees.yaml").write_text(yaml.safe_dump({"trees": trees}), encoding="utf-8")
        path = Path(folder) / "fleet.yaml"
        path.write_text(yaml.safe_dump({"pins": ["trees.yaml"], "hosts": {"box": host}}), encoding="utf-8")
        declared = load(path).hosts[0]
    return plan_host(declared, Hardware("amd64", "", 64 * 1024**3, ()))


def test_light_does_not_grow_by_a_byte() -> None:
    light = {it.name: it for it in components_of(light_plan())}
    assert light["speech"] == Component(name="speech")
    assert light["trees"] == Component(name="trees")


def test_each_model_is_a_tree_with_a_job_and_a_token_of_its_own() -> None:
    made = {it.name: it for it in components(plan(), Build.unknown(plan()), {}, Revealed(), gpu=False)}
    assert made["speech"].memory == 500
    assert [it.name for it in made["trees"].jobs] == ["tree-stt", "tree-tts"]
    assert [path.rpartition("-")[0] for path in made["trees"].store_paths] == [
        "/opt/venom/trees/whisper",
        "/opt/venom/trees/voice",
    ]
    assert set(made["trees"].sizes) == {"tree-stt", "tree-tts"}
    room = sum(bytes_ for it in made["backend"].needs for bytes_ in it.disk.values())
    light = {it.name: it for it in components_of(light_plan())}["backend"]
    assert room > sum(bytes_ for it in light.needs for bytes_ in it.disk.values())


def test_its_environment_counts_once_both_packages_can_be_imported() -> None:
    release = Build.unknown(plan()).release
    assert isinstance(release, Release)
    script = environment_job(plan(), release, Lock(Path("lock.txt"), "", "0" * 64, fresh=False)).script
    for module in ("faster_whisper", "piper"):
        assert f"-c 'import {module}'" in script


def test_its_lock_is_that_of_onnx_with_what_hears_and_speaks() -> None:
    folder, arch = FOLDER / plan().source.release, plan().arch
    packages = listed((folder / name(plan())).read_text(encoding="utf-8"))
    onnx = listed((folder / f"api+onnx-cpu-py3.12-{arch}.txt").read_text(encoding="utf-8"))
    assert packages.keys() > onnx.keys()
    assert {"faster-whisper", "piper-tts"} <= packages.keys() - onnx.keys()
    assert all(packages[it].version == onnx[it].version for it in onnx)
    assert not {"torch", "onnxruntime-gpu"} & packages.keys()
