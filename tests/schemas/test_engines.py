"""vLLM in a plan: what it is told, the share of the card that is left to it, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from schemas.declared.host import DeclaredHost
from schemas.hardware import Gpu, Hardware
from schemas.plan.host import assumed_hardware, describe, plan_host, to_dict
from schemas.plan.memory import GIB
from schemas.reading.problem import PlanError, Problem
from tests.schemas.conftest import Load, Refuse, card, cpu

MODEL = "google/gemma-3-4b-it"
VLLM = f"profile: full\n    engines: {{vllm: {{model: {MODEL}}}}}"
Full = Callable[..., DeclaredHost]


def write_pins(folder: Path) -> None:
    files = {
        "config.json": {"sha256": "0" * 64, "size": 900},
        "model.safetensors": {"sha256": "1" * 64, "size": 8_600_000_000},
    }
    tree = {"commit": "0" * 40, "kv_bytes_per_token": 139_264, "files": files}
    (folder / "trees.yaml").write_text(yaml.safe_dump({"trees": {MODEL: tree}}), encoding="utf-8")


@pytest.fixture
def full(loaded: Load, tmp_path: Path) -> Full:
    """A host of profile full with vLLM and further settings (YAML, one a line)."""
    write_pins(tmp_path)

    def _full(settings: str = "") -> DeclaredHost:
        text = f"pins: [trees.yaml]\nhosts:\n  box:\n    {VLLM}\n"
        return loaded(text + "".join(f"    {line}\n" for line in settings.splitlines())).host("box")

    return _full


def problem_of(declared: DeclaredHost, hardware: Hardware) -> Problem:
    with pytest.raises(PlanError) as caught:
        plan_host(declared, hardware)
    (problem,) = caught.value.problems
    return problem


def test_it_gets_what_the_model_of_ollama_leaves_of_the_card_at_most_85_per_cent(full: Full) -> None:
    plan = plan_host(full(), card(24))
    assert plan.vllm
    assert plan.model
    left = 24 * GIB - plan.model.need.total
    assert 0 <= left - float(plan.vllm.share) * 24 * GIB < 24 * GIB / 100
    large = plan_host(full(), card(80)).vllm
    assert large
    assert large.share == "0.85"
    assert "0.77 of the card, context 8192" in describe(plan)


def test_venom_is_told_where_it_is_and_how_it_is_started(full: Full) -> None:
    env = plan_host(
        full("ports: {vllm: 8003}\nenvironment: {VLLM_MAX_MODEL_LEN: 4096}"), card(24)
    ).backend.env_file
    assert env["VLLM_ENDPOINT"] == "http://127.0.0.1:8003/v1"
    assert env["VLLM_MAX_MODEL_LEN"] == "4096"
    assert env["VLLM_START_COMMAND"] == "systemctl start vllm.service"
    assert env["VLLM_STOP_COMMAND"] == "systemctl stop vllm.service"
    assert env["OLLAMA_START_COMMAND"] == "true"
    assert env["VLLM_HOST"] == "127.0.0.1"


def test_two_models_that_do_not_fit_one_card_are_refused_with_all_figures(full: Full) -> None:
    problem = problem_of(full(), card(12))
    assert problem.path == "hosts.box.engines.vllm.model"
    assert problem.found == (
        "needs 10.6 GiB, and beside gemma3:4b (5.5 GiB) 6.5 GiB of the 12.0 GiB of a card are left to it"
    )
    assert "VLLM_MAX_MODEL_LEN" in problem.hint


def test_a_longer_context_needs_more_of_the_card(full: Full) -> None:
    plan_host(full(), card(17))
    assert "13.8 GiB" in problem_of(full("environment: {VLLM_MAX_MODEL_LEN: 32768}"), card(17)).found


@pytest.mark.parametrize(
    ("hardware", "found"),
    [
        (cpu(64), "a host without an NVIDIA card"),
        (card(24, vendor="amd"), "a host without an NVIDIA card"),
        (
            replace(cpu(64), gpus=(Gpu("nvidia", "P40", 24 * GIB, "580.1", "6.1"),)),
            "P40, of compute capability 6.1",
        ),
        (
            replace(cpu(64), gpus=(Gpu("nvidia", "GB10", 64 * GIB, "580.1", "12.1", unified=True),)),
            "GB10, which has no memory of its own",
        ),
        (replace(card(24), arch="arm64"), "a host of the architecture arm64"),
    ],
)
def test_a_host_without_a_card_that_it_runs_on_is_refused(full: Full, hardware: Hardware, found: str) -> None:
    assert problem_of(full(), hardware).found == found


def test_a_plan_before_a_connection_refuses_nothing_for_a_card_that_nobody_has_seen(full: Full) -> None:
    declared = full("vram_tier: low-vram-8-12gb")
    assert plan_host(declared, assumed_hardware(declared)).vllm


@pytest.mark.parametrize(
    ("settings", "path", "found"),
    [
        (f"engines: {{vllm: {{model: {MODEL}}}}}", "engines", "vllm in profile light"),
        ("profile: full\n    engines: {vllm: {model: google/other}}", "engines.vllm.model", '"google/other"'),
        (f"{VLLM}\n    ports: {{vllm: 8000}}", "ports.vllm", "8000, which backend has too"),
        (
            f"{VLLM}\n    environment: {{VLLM_GPU_MEMORY_UTILIZATION: 0.95}}",
            "environment.VLLM_GPU_MEMORY_UTILIZATION",
            "0.95 (a number)",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_one_message(
    refused: Refuse, tmp_path: Path, settings: str, path: str, found: str
) -> None:
    write_pins(tmp_path)
    (problem,) = refused(f"pins: [trees.yaml]\nhosts:\n  box:\n    {settings}\n")
    assert (problem.path, problem.found) == (f"hosts.box.{path}", found)


def test_a_tree_that_is_not_pinned_says_how_to_pin_it(refused: Refuse) -> None:
    (problem,) = refused(f"hosts:\n  box:\n    {VLLM}\n")
    assert f"python -m fleet.pin {MODEL}@main" in problem.hint


def test_a_port_that_only_vllm_would_have_is_free_where_there_is_none(loaded: Load) -> None:
    assert loaded("hosts: {box: {ports: {backend: 8001}}}").host("box").ports["backend"] == 8001


def test_the_plan_of_light_says_nothing_of_it(full: Full, loaded: Load) -> None:
    light = loaded("hosts: {box: {}}").host("box")
    plan = plan_host(light, card(24))
    assert plan.vllm is None
    assert "vllm" not in to_dict(plan)
    settings = {name: value for name, value in plan.backend.env_file.items() if name.startswith("VLLM_")}
    assert settings == {f"VLLM_{verb}_COMMAND": "true" for verb in ("START", "STOP", "RESTART")}
    assert plan_host(full(), card(24)).vllm
