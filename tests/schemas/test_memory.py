"""What a model needs, against Ollama's own published figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.data.contract import contract
from schemas.data.pins import Pins, Weights, load
from schemas.plan.memory import GIB, MIB, embedding, kv_cache, need


def _pins() -> Pins:
    pins, problems = load()
    assert pins is not None, problems
    return pins


def _weights(tag: str) -> Weights:
    return _pins().weights[f"gemma3:{tag}"]


@pytest.mark.parametrize(
    ("tag", "context", "mib"),
    [("12b", 8192, 992), ("12b", 2048, 608), ("27b", 4096, 944), ("4b", 8192, 334)],
)
def test_the_kv_cache_meets_the_published_server_logs_exactly(tag: str, context: int, mib: int) -> None:
    assert kv_cache(_weights(tag), context=context, parallel=1, kv_type="f16") == mib * MIB


@pytest.mark.parametrize(
    ("tier", "needs"),
    [
        ("low-vram-8-12gb", {"1b": 1.8, "4b": 4.8, "12b": 9.6, "27b": 18.3}),
        ("balanced-12-24gb", {"1b": 1.9, "4b": 5.5, "12b": 11.7, "27b": 21.0}),
        ("max-context-24gb-plus", {"1b": 1.8, "4b": 5.4, "12b": 11.5, "27b": 20.7}),
    ],
)
def test_model_and_tier_need_what_the_published_table_says(tier: str, needs: dict[str, float]) -> None:
    values = contract().vram_tiers[tier]
    for tag, gib in needs.items():
        total = need(
            _weights(tag),
            context=values.context_length,
            parallel=values.num_parallel,
            kv_type=values.kv_cache_type,
        ).total
        # The table rounds what was rounded before (9.549, 9.55, 9.6).
        assert round(round(total / GIB, 2) + 1e-9, 1) == gib, tag


def test_from_0_30_every_slot_pads_its_own_window() -> None:
    weights = _weights("12b")
    sizes = [
        kv_cache(weights, context=2048, parallel=2, kv_type="f16", ollama=version)
        for version in ("0.24.0", "0.30.0", "0.32.15")
    ]
    assert sizes[1] == sizes[2] != sizes[0]
    # 8 global layers of 2 · 2048 tokens, 40 with two windows of 1536 each; 8 KiB a token.
    assert sizes[1] == (8 * 2 * 2048 + 40 * 2 * 1536) * 8192


def test_without_a_card_the_embedding_is_held_twice_as_was_measured() -> None:
    """On a genuine 0.24.0, gemma3:270m as Q4_K_M (253113024 bytes, of which 6525112 are the file's head).

    It said `model weights device=CPU size="405.2 MiB"` and `kv cache device=CPU size="17.7 MiB"`.
    """
    file = replace(_weights("270m"), bytes=253113024)
    on_cpu, on_card = (
        need(file, context=16384, parallel=1, kv_type="q4_0", card=card) for card in (False, True)
    )
    assert on_cpu.weights - on_card.weights == embedding(file) == 178257920
    assert round((on_cpu.weights - 6525112) / MIB, 1) == 405.2
    assert round(on_cpu.kv_cache / MIB, 1) == 17.7
    # `/api/ps` said 480649728: what is counted is never less.
    assert on_cpu.total > 480649728


def test_from_0_30_the_file_is_mapped_and_nothing_is_held_twice() -> None:
    weights = _weights("4b")
    needs = [
        need(weights, context=4096, parallel=1, kv_type="q8_0", ollama=version, card=False).weights
        for version in ("0.24.0", "0.30.0", "0.32.15")
    ]
    assert needs == [weights.bytes + embedding(weights), weights.bytes, weights.bytes]


@pytest.mark.parametrize(
    ("tag", "mib"), [("270m", 170), ("1b", 306), ("4b", 525), ("12b", 788), ("27b", 1103)]
)
def test_the_embedding_of_every_size(tag: str, mib: int) -> None:
    assert round(embedding(_weights(tag)) / MIB) == mib


def test_no_context_is_counted_that_a_model_cannot_use() -> None:
    weights = _weights("1b")
    most = need(weights, context=32768, parallel=1, kv_type="q8_0")
    assert need(weights, context=65536, parallel=1, kv_type="q8_0") == most


def test_a_quantized_cache_is_smaller() -> None:
    f16, q8, q4 = (
        kv_cache(_weights("4b"), context=8192, parallel=1, kv_type=kind) for kind in ("f16", "q8_0", "q4_0")
    )
    assert q8 / f16 == 17 / 32
    assert q4 / f16 == 9 / 32
