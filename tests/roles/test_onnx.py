"""ONNX as a component, in the gate and in its locks: what it brings, and that it brings nothing unasked."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import yaml

from engine.component import Component
from engine.environment import BOUNDED, Lock
from engine.release import Release
from fleet.builds import Build
from fleet.components import components
from roles.backend.deploy import environment_job
from roles.backend.lock import FOLDER, name
from roles.backend.requires import listed
from roles.door.secrets import Revealed
from schemas.data.pins import load as load_pins
from schemas.hardware import Hardware
from schemas.inventory import load
from schemas.model import HostPlan
from schemas.plan.host import plan_host
from schemas.plan.items import Read, items
from tests.roles.plans import components_of
from tests.roles.plans import plan as light_plan

MODEL = "a/model-onnx"
FILES = {f"cpu/{it}": {"sha256": "0" * 64, "size": 900} for it in ("genai_config.json", "model.onnx")}


@cache
def plan() -> HostPlan:
    tree = {"commit": "0" * 40, "kv_bytes_per_token": 1000, "files": FILES}
    host = {"profile": "full", "engines": {"onnx": {"model": MODEL}}}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "trees.yaml").write_text(yaml.safe_dump({"trees": {MODEL: tree}}), encoding="utf-8")
        path = Path(folder) / "fleet.yaml"
        path.write_text(yaml.safe_dump({"pins": ["trees.yaml"], "hosts": {"box": host}}), encoding="utf-8")
        declared = load(path).hosts[0]
    return plan_host(declared, Hardware("amd64", "", 64 * 1024**3, ()))


def of(planned: HostPlan) -> dict[str, Component]:
    return {it.name: it for it in components(planned, Build.unknown(planned), {}, Revealed(), gpu=False)}


def test_light_does_not_grow_by_a_byte() -> None:
    light = {it.name: it for it in components_of(light_plan())}
    assert light["onnx"] == Component(name="onnx")
    unit = str(light["backend"].resources).lower()
    assert "onnx" not in unit


def test_its_memory_is_counted_and_status_and_generation_know_it() -> None:
    made = of(plan())
    assert made["onnx"].memory == 1800 + 8192 * 1000
    assert list(made["onnx"].versions) == ["ONNX Runtime GenAI"]
    [tree] = made["trees"].store_paths
    assert tree.startswith("/opt/venom/trees/model-onnx-")
    pins, _ = load_pins()
    assert pins
    assert f"cpu/model.onnx of {MODEL}" in {it.name for it in items(plan(), pins, Read())}


def test_its_environment_counts_once_the_package_can_be_imported() -> None:
    release = Build.unknown(plan()).release
    assert isinstance(release, Release)
    lock = Lock(Path("lock.txt"), "", "0" * 64, fresh=False)
    script = environment_job(plan(), release, lock).script
    assert "-c 'import onnxruntime_genai'" in script
    assert "import onnxruntime_genai" not in environment_job(light_plan(), release, replace(lock)).script


def test_its_lock_is_that_of_light_with_onnx_and_nothing_of_torch() -> None:
    planned = plan()
    folder = FOLDER / planned.source.release
    text = (folder / name(planned)).read_text(encoding="utf-8")
    light = listed((folder / f"api-py3.12-{planned.arch}.txt").read_text(encoding="utf-8"))
    packages = listed(text)
    assert packages.keys() >= light.keys()
    more = {"flatbuffers", "ml-dtypes", "mpmath", "sympy"}  # what they require
    assert packages.keys() - light.keys() == more | {"onnx", "onnx-ir", "onnxruntime", "onnxruntime-genai"}
    assert packages["pyautogen"].version == light["pyautogen"].version
    assert f"{BOUNDED}pyautogen<0.10: " in text
