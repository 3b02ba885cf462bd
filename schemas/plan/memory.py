"""How much memory a Gemma 3 model needs with its KV cache, graph and reserve.

The formula was read in Ollama's source at v0.16.1, v0.24.0 and v0.32.15 and meets four published
server logs exactly (docs/facts.md#will-it-fit).

Up to 0.29 a server without a card holds the embedding of the tokens twice: Gemma 3 has no output layer of its
own, so a copy of the embedding is made for it, and both lie in main memory (ml/backend/ggml/ggml.go, `New`:
`createTensor(tensor{source: t, target: "output.weight"}, …)`). With a card that copy is what
is in its memory. From 0.30 llama-server maps the file, and both are the same pages.
"""

from __future__ import annotations

from fractions import Fraction

from schemas.data.pins import Weights
from schemas.data.version import at_least
from schemas.model import MemoryNeed

GIB = 1024**3
MIB = 1024**2

_BYTES_PER_ELEMENT = {
    "f16": Fraction(2),
    "q8_0": Fraction(17, 16),
    "q6_k": Fraction(105, 128),
    "q4_0": Fraction(9, 16),
}
_GRAPH_WITH_VISION = 11 * GIB // 10
_GRAPH_TEXT_ONLY = 55 * GIB // 100
_RESERVE = 457 * MIB
_GLOBAL_EVERY = 6  # Gemma 3: one layer in six sees the whole context, the rest a sliding window
_PREFILL = 512  # tokens of one batch, Ollama's default


def kv_cache(weights: Weights, *, context: int, parallel: int, kv_type: str, ollama: str = "0.24.0") -> int:
    """Bytes of the KV cache.

    `context` is in tokens per slot, `parallel` the number of slots, `kv_type` one of f16, q8_0 and
    q4_0, `ollama` the server's version: from 0.30 the engine pads the sliding window per slot.
    """
    full = weights.layers // _GLOBAL_EVERY
    sliding = weights.layers - full
    if at_least(ollama, "0.30"):
        window = parallel * _padded(weights.window + _PREFILL)
    else:
        one = weights.window if parallel == 1 else weights.window + 1
        window = _padded(parallel * one + _PREFILL)
    cells = full * _padded(context) * parallel + sliding * window
    size = 2 * weights.kv_heads * weights.head_dim * _BYTES_PER_ELEMENT[kv_type] * cells
    return int(size)


def embedding(weights: Weights) -> int:
    """Bytes of the embedding of the tokens, by the rule that Ollama quantises by.

    Q6_K of a Q4_K_M model, or Q8_0 where a row is no multiple of 256 (server/quantization.go,
    `getTensorNewType`).
    """
    shape = weights.embedding
    return int(shape["vocabulary"] * shape["width"] * _BYTES_PER_ELEMENT[shape["type"]])


def need(
    weights: Weights,
    *,
    context: int,
    parallel: int,
    kv_type: str,
    ollama: str = "0.24.0",
    card: bool = True,
) -> MemoryNeed:
    """What the model needs in all, in bytes. The context is capped at what the model can use.

    `card`: in a card's memory; else in the host's.
    """
    twice = not card and not at_least(ollama, "0.30")
    return MemoryNeed(
        weights=weights.bytes + (embedding(weights) if twice else 0),
        kv_cache=kv_cache(
            weights,
            context=min(context, weights.max_context),
            parallel=parallel,
            kv_type=kv_type,
            ollama=ollama,
        ),
        graph=_GRAPH_TEXT_ONLY if weights.text_only else _GRAPH_WITH_VISION,
        reserve=_RESERVE,
    )


def gib(size: int, digits: int = 1) -> str:
    """Bytes in GiB (below one: in MiB) with one decimal, as the facts have them; two to compare."""
    if size < GIB:
        return f"{size / MIB:.0f} MiB"
    return f"{size / GIB:.{digits}f} GiB"


def _padded(tokens: int) -> int:
    return -(-tokens // 256) * 256
