"""The model of a plan: which weights fit the host, and where they are pulled from."""

from __future__ import annotations

import pytest

from schemas.hardware import Gpu, Hardware
from schemas.plan.host import assumed_hardware, plan_host
from schemas.plan.memory import GIB
from tests.schemas.conftest import Host, card, cpu, unplannable

LOW = "vram_tier: low-vram-8-12gb"
BALANCED = "vram_tier: balanced-12-24gb"


def test_a_card_without_memory_of_its_own_is_sized_by_main_memory(host: Host) -> None:
    gpu = Gpu("nvidia", "NVIDIA GB10", 120 * GIB, "580.126.09", "12.1", unified=True)
    declared = host("vram_tier: auto\nmodel: auto")
    plan = plan_host(declared, Hardware("arm64", "", 120 * GIB, (gpu,)))
    assert (plan.vram_tier and plan.vram_tier.name, plan.model and plan.model.name) == (
        "max-context-24gb-plus",
        "gemma3:27b",
    )
    assert [it for it in plan.notes if it.startswith("NVIDIA GB10 has no memory of its own")]
    # What the rest needs is not the card's.
    problem = unplannable(host, f"model: gemma3:27b\n{BALANCED}", Hardware("arm64", "", 12 * GIB, (gpu,)))
    assert "main memory, in which NVIDIA GB10 computes, without what the rest needs" in problem.allowed


def test_a_12b_does_not_fit_a_12_gb_card_in_the_balanced_tier(host: Host) -> None:
    problem = unplannable(host, f"model: gemma3:12b\n{BALANCED}", card(11.5))
    assert "needs 11.72 GiB" in problem.found
    assert "11.50 GiB" in problem.allowed
    assert problem.hint == "the largest that fits: model: gemma3:4b"


def test_the_same_12b_fits_where_the_card_or_the_tier_allows_it(host: Host) -> None:
    assert plan_host(host(f"model: gemma3:12b\n{BALANCED}"), card(16)).model
    assert plan_host(host(f"model: gemma3:12b\n{LOW}"), card(11.5)).model


def test_a_host_without_a_card_needs_main_memory_instead(host: Host) -> None:
    assert plan_host(host(f"model: gemma3:270m\n{LOW}"), cpu(4)).model
    problem = unplannable(host, f"model: gemma3:4b\n{LOW}", cpu(4))
    assert "main memory" in problem.allowed
    assert problem.hint == "the largest that fits: model: gemma3:1b"
    assert "llm_off" in unplannable(host, LOW, cpu(1)).hint


def test_before_a_connection_only_what_no_card_of_the_tier_can_do_is_refused(host: Host) -> None:
    declared = host(f"model: gemma3:12b\n{BALANCED}")
    plan = plan_host(declared, assumed_hardware(declared))
    assert any("refused on a host that has less" in note for note in plan.notes)
    with pytest.raises(Exception, match="the largest that fits: model: gemma3:12b"):
        host(f"model: gemma3:27b\n{LOW}")
    declared = host("vram_tier: auto\nmodel: gemma3:27b")
    assert any("vram_tier auto" in n for n in plan_host(declared, assumed_hardware(declared)).notes)


@pytest.mark.parametrize(
    ("registry", "name", "insecure"),
    [
        ("", "gemma3:4b", False),
        ("10.0.0.1:5000", "10.0.0.1:5000/library/gemma3:4b", True),
        ("http://m.example:5000/", "m.example:5000/library/gemma3:4b", True),
        ("https://m.example", "m.example/library/gemma3:4b", False),
    ],
)
def test_a_registry_of_ones_own_is_part_of_the_models_name(
    host: Host, registry: str, name: str, insecure: bool
) -> None:
    settings = f'mirrors: {{ollama: "{registry}"}}' if registry else ""
    model = plan_host(host(settings), card(16)).model
    assert model is not None
    assert (model.pull_name, model.insecure, model.name) == (name, insecure, "gemma3:4b")
