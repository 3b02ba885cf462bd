"""The VRAM tier of a plan: chosen by the cards, overridden by the inventory, suited to a processor."""

from __future__ import annotations

import pytest

from schemas.hardware import Hardware
from schemas.plan.host import plan_host
from schemas.plan.memory import GIB, kv_cache
from tests.schemas.conftest import Host, card, cpu

LOW = "vram_tier: low-vram-8-12gb"
BALANCED = "vram_tier: balanced-12-24gb"


def test_overrides_beat_the_tier_and_zero_means_the_tier(host: Host) -> None:
    settings = """
    environment:
      OLLAMA_CONTEXT_LENGTH: 8192
      OLLAMA_NUM_PARALLEL: 0
      OLLAMA_KV_CACHE_TYPE: ""
      OLLAMA_NO_CLOUD: false
    """
    plan = plan_host(host(settings), card(16))
    assert plan.ollama is not None
    assert plan.ollama.env["OLLAMA_CONTEXT_LENGTH"] == "8192"
    assert plan.ollama.env["OLLAMA_NUM_PARALLEL"] == "2"
    assert plan.ollama.env["OLLAMA_KV_CACHE_TYPE"] == "q8_0"
    assert plan.ollama.env["OLLAMA_NO_CLOUD"] == plan.backend.env_file["OLLAMA_NO_CLOUD"] == "0"


def test_a_quantized_cache_without_flash_attention_is_refused(host: Host) -> None:
    settings = "environment: {OLLAMA_FLASH_ATTENTION: 0}"
    assert _cache(host, settings) == "f16"
    with pytest.raises(Exception, match="with OLLAMA_FLASH_ATTENTION off"):
        host("environment: {OLLAMA_FLASH_ATTENTION: 0, OLLAMA_KV_CACHE_TYPE: q8_0}")


def _cache(host: Host, settings: str) -> str:
    plan = plan_host(host(settings), card(16))
    assert plan.ollama is not None
    return plan.ollama.env["OLLAMA_KV_CACHE_TYPE"]


@pytest.mark.parametrize(
    ("vram", "tier", "model"),
    [
        (6, "low-vram-8-12gb", "gemma3:4b"),
        (8, "low-vram-8-12gb", "gemma3:4b"),
        (11.5, "balanced-12-24gb", "gemma3:4b"),
        (16, "balanced-12-24gb", "gemma3:12b"),
        (23.5, "max-context-24gb-plus", "gemma3:27b"),
        (80, "max-context-24gb-plus", "gemma3:27b"),
    ],
)
def test_auto_takes_the_cards_tier_and_the_largest_model_that_fits(
    host: Host, vram: float, tier: str, model: str
) -> None:
    plan = plan_host(host("vram_tier: auto\nmodel: auto"), card(vram))
    assert plan.vram_tier is not None
    assert plan.model is not None
    assert (plan.vram_tier.name, plan.model.name) == (tier, model)


def test_two_cards_are_counted_together(host: Host) -> None:
    one = card(12)
    two = Hardware("amd64", "", one.memory_bytes, one.gpus * 2)
    assert plan_host(host("vram_tier: auto\nmodel: gemma3:27b"), two).model


def test_a_context_beyond_the_model_is_capped_for_server_and_backend(host: Host) -> None:
    settings = "model: gemma3:1b\nvram_tier: max-context-24gb-plus"
    plan = plan_host(host(settings), card(24))
    assert plan.ollama is not None
    assert plan.ollama.env["OLLAMA_CONTEXT_LENGTH"] == "32768"
    assert plan.backend.env_file["OLLAMA_CONTEXT_LENGTH"] == "32768"
    assert any("65536" in note for note in plan.notes)


def test_a_card_below_its_tier_serves_what_fits_and_that_is_reported(host: Host) -> None:
    plan = plan_host(host(BALANCED), card(8))
    assert plan.model is not None
    assert plan.notes == ("balanced-12-24gb is meant for at least 11.50 GiB of VRAM; this host has 8.00 GiB",)


def test_a_host_without_a_card_keeps_each_of_venoms_prompts_read(host: Host) -> None:
    plan = plan_host(host(f"model: gemma3:270m\n{LOW}"), cpu(8))
    assert plan.vram_tier is not None
    assert plan.ollama is not None
    assert plan.model is not None
    assert (plan.vram_tier.num_parallel, plan.vram_tier.kv_cache_type) == (3, "f16")
    assert plan.ollama.env["OLLAMA_NUM_PARALLEL"] == "3"
    assert plan.ollama.env["OLLAMA_MULTIUSER_CACHE"] == "1"
    assert plan.backend.env_file["INTENT_CLASSIFIER_TIMEOUT_SECONDS"] == "3"
    assert any(note.startswith("no card: 3 slots of KV cache f16") for note in plan.notes)
    weights = host("model: gemma3:270m").pins.weights["gemma3:270m"]
    assert plan.model.need.kv_cache == kv_cache(weights, context=16384, parallel=3, kv_type="f16")


def test_a_host_with_a_card_has_none_of_that(host: Host) -> None:
    plan = plan_host(host(f"model: gemma3:270m\n{LOW}"), card(8))
    assert plan.ollama is not None
    assert plan.ollama.env["OLLAMA_KV_CACHE_TYPE"] == "q4_0"
    assert "OLLAMA_MULTIUSER_CACHE" not in plan.ollama.env
    assert plan.backend.env_file["INTENT_CLASSIFIER_TIMEOUT_SECONDS"] == "5"  # Venom's own


def test_without_a_card_too_the_inventory_has_the_last_word(host: Host) -> None:
    own = "OLLAMA_KV_CACHE_TYPE: q8_0, OLLAMA_NUM_PARALLEL: 1, INTENT_CLASSIFIER_TIMEOUT_SECONDS: 9"
    plan = plan_host(host(f"model: gemma3:270m\n{LOW}\nenvironment: {{{own}}}"), cpu(8))
    assert plan.ollama is not None
    assert plan.ollama.env["OLLAMA_KV_CACHE_TYPE"] == "q8_0"
    assert plan.ollama.env["OLLAMA_NUM_PARALLEL"] == "1"
    assert "OLLAMA_MULTIUSER_CACHE" not in plan.ollama.env  # one slot has nothing to share out
    assert plan.backend.env_file["INTENT_CLASSIFIER_TIMEOUT_SECONDS"] == "9"


def test_main_memory_that_holds_only_the_tiers_values_keeps_them(host: Host) -> None:
    roomy = plan_host(host(f"model: gemma3:4b\n{LOW}"), cpu(16))
    tight = plan_host(host(f"model: gemma3:4b\n{LOW}"), cpu(roomy.model.need.total / GIB + 0.9))  # type: ignore[union-attr]
    assert tight.vram_tier is not None
    assert (tight.vram_tier.num_parallel, tight.vram_tier.kv_cache_type) == (1, "q4_0")
    assert any("the tier's values stay" in note for note in tight.notes)


def test_an_ollama_that_caches_by_itself_gets_no_setting_for_it(host: Host) -> None:
    plan = plan_host(host(f"model: gemma3:270m\n{LOW}\nollama: {{version: 0.32.15}}"), cpu(8))
    assert plan.ollama is not None
    assert "OLLAMA_MULTIUSER_CACHE" not in plan.ollama.env
    assert plan.ollama.env["OLLAMA_NUM_PARALLEL"] == "3"
