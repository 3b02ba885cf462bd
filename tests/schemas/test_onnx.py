"""ONNX in a plan: what Venom is told, the packages that it brings, its memory, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from schemas.declared.host import DeclaredHost
from schemas.plan.host import describe, plan_host, to_dict
from schemas.plan.memory import GIB
from schemas.reading.problem import PlanError
from tests.schemas.conftest import Load, Refuse, card, cpu

MODEL, PLAIN = "microsoft/phi-onnx", "google/gemma-3-4b-it"
ONNX = f"profile: full\n    engines: {{onnx: {{model: {MODEL}}}}}"


@pytest.fixture(autouse=True)
def pins(tmp_path: Path) -> None:
    """One tree that ONNX computes, and one that it does not."""

    def tree(*paths: str) -> dict[str, object]:
        files = {path: {"sha256": "0" * 64, "size": GIB} for path in paths}
        return {"commit": "0" * 40, "kv_bytes_per_token": 131_072, "files": files}

    trees = {MODEL: tree("cpu/genai_config.json", "cpu/model.onnx"), PLAIN: tree("config.json")}
    (tmp_path / "trees.yaml").write_text(yaml.safe_dump({"trees": trees}), encoding="utf-8")


def text(settings: str) -> str:
    return f"pins: [trees.yaml]\nhosts:\n  box:\n    {settings}\n"


def host(loaded: Load, settings: str = "") -> DeclaredHost:
    return loaded(text(f"{ONNX}\n    {settings}".rstrip())).host("box")


def test_venom_is_told_where_its_model_is_and_to_compute_on_the_cpu(loaded: Load) -> None:
    plan = plan_host(host(loaded), cpu(64))
    assert plan.onnx
    env = {name: it for name, it in plan.backend.env_file.items() if name.startswith("ONNX_")}
    assert env == {
        "ONNX_LLM_ENABLED": "true",
        "ONNX_LLM_MODEL_PATH": plan.onnx.tree.path,
        "ONNX_LLM_EXECUTION_PROVIDER": "cpu",
    }
    assert plan.onnx.tree.path.startswith("/opt/venom/trees/phi-onnx-")
    assert "in the backend's process, on cpu; 3.0 GiB of memory" in describe(plan)


def test_its_packages_come_into_the_backends_environment_before_what_goes_after_them(loaded: Load) -> None:
    plan = plan_host(host(loaded), cpu(64))
    assert (plan.requirements.tier, plan.requirements.extras) == ("api", ("onnx-cpu",))
    speech = plan_host(host(loaded, "requirements: {extras: [onnx-extras]}"), cpu(64))
    assert speech.requirements.extras == ("onnx-cpu", "onnx-extras")
    twice = plan_host(host(loaded, "requirements: {extras: [onnx-cpu]}"), cpu(64))
    assert twice.requirements.extras == ("onnx-cpu",)


def test_without_a_card_it_shares_main_memory_with_ollamas_model(loaded: Load) -> None:
    plan_host(host(loaded), replace(card(24), memory_bytes=8 * GIB))
    with pytest.raises(PlanError) as caught:
        plan_host(host(loaded), cpu(8))
    (problem,) = caught.value.problems
    assert problem.path == "hosts.box.engines.onnx.model"
    assert problem.found.startswith("needs 3.0 GiB, and beside gemma3:4b (")
    assert problem.found.endswith("of 8.0 GiB of main memory are left to it")


@pytest.mark.parametrize(
    ("settings", "path", "found"),
    [
        (f"engines: {{onnx: {{model: {MODEL}}}}}", "engines", "onnx in profile light"),
        (
            f"profile: full\n    engines: {{onnx: {{model: {PLAIN}}}}}",
            "engines.onnx.model",
            f'"{PLAIN}", whose tree has no genai_config.json',
        ),
        (
            f"profile: full\n    engines: {{vllm: {{model: {MODEL}}}}}",
            "engines.vllm.model",
            f'"{MODEL}", whose tree has no config.json',
        ),
        ("profile: full\n    engines: {onnx: {model: a/b}}", "engines.onnx.model", '"a/b"'),
        (
            f"{ONNX}\n    requirements: {{tier: onnx}}",
            "engines.onnx",
            "onnx beside the tier onnx, whose onnxruntime-gpu lies in the same folder",
        ),
        (
            f"{ONNX}\n    venom: {{release: v1.6.0}}",
            "engines.onnx",
            "onnx with v1.6.0, which has no tier onnx-cpu",
        ),
        (
            f"{ONNX}\n    environment: {{ONNX_LLM_EXECUTION_PROVIDER: cuda}}",
            "environment.ONNX_LLM_EXECUTION_PROVIDER",
            '"cuda"',
        ),
    ],
)
def test_what_cannot_be_is_refused_with_one_message(
    refused: Refuse, settings: str, path: str, found: str
) -> None:
    (problem,) = refused(text(settings))
    assert problem.path == f"hosts.box.{path}"
    assert problem.found.startswith(found)


def test_the_plan_of_light_says_nothing_of_it(loaded: Load) -> None:
    plan = plan_host(loaded("hosts: {box: {}}").host("box"), cpu(64))
    assert plan.onnx is None
    assert "onnx" not in str(to_dict(plan)).lower()
