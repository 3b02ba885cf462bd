"""The files of the model, by path. It is no stand-in: ONNX Runtime computes it, only what it knows is little.

Its one table has for each token the next one, so what it says is a walk through `SENTENCE`. Beside that it is
a decoder as any other: it takes and gives a KV cache, and a tokenizer of bytes and whole words.
"""

from __future__ import annotations

import json
import struct
from itertools import pairwise
from typing import Any

from lab.onnx.proto import attribute, graph, model, node, tensor, value

SENTENCE = "I am a model of the lab , and ONNX Runtime computes me ."
_END = "<end>"
# So much more likely is the next word that no temperature lets another come.
_CERTAIN = 1000.0
_CONTEXT = 8192
_KEYS = ("key", "value")


def files() -> dict[str, bytes]:
    """All of them, the same bytes each time."""
    vocabulary, merges = _vocabulary()
    return {
        "genai_config.json": _json(_config(len(vocabulary), vocabulary[_END])),
        "model.onnx": _network(vocabulary),
        "tokenizer.json": _json(_tokenizer(vocabulary, merges)),
        "tokenizer_config.json": _json(
            {
                "tokenizer_class": "GPT2Tokenizer",
                "bos_token": _END,
                "eos_token": _END,
                "add_bos_token": False,
                "model_max_length": _CONTEXT,
                "chat_template": "{% for message in messages %}{{ message['content'] }}{% endfor %}",
            }
        ),
    }


def _words() -> list[str]:
    """The sentence as its tokens are written: with the space before each."""
    first, *others = SENTENCE.split()
    return [first, *(f"Ġ{it}" for it in others)]


def _vocabulary() -> tuple[dict[str, int], list[str]]:
    """Token → its number, and how a word is put together: GPT-2's letters for bytes, and the words."""
    printed = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [it for it in range(256) if it not in printed]
    letters = [*map(chr, printed), *(chr(256 + at) for at in range(len(others)))]
    vocabulary = {letter: number for number, letter in enumerate(letters)}
    merges: dict[str, None] = {}
    for word in _words():
        for end in range(1, len(word)):
            merges[f"{word[:end]} {word[end]}"] = None
            vocabulary.setdefault(word[: end + 1], len(vocabulary))
    vocabulary[_END] = len(vocabulary)
    return vocabulary, list(merges)


def _network(vocabulary: dict[str, int]) -> bytes:
    size, words = len(vocabulary), [vocabulary[it] for it in (*_words(), _END)]
    following = {**dict.fromkeys(range(size), words[0]), **dict(pairwise(words))}
    rows = [[_CERTAIN if at == following[token] else 0.0 for at in range(size)] for token in range(size)]
    caches = [(f"past_key_values.0.{it}", f"present.0.{it}") for it in _KEYS]
    integers, floats = 7, 1  # as ONNX numbers types of elements
    return model(
        graph(
            [
                node("Gather", ["table", "input_ids"], ["logits"]),
                node("Shape", ["input_ids"], ["shape"]),
                node("Gather", ["shape", "zero"], ["batch"]),
                node("Gather", ["shape", "one"], ["length"]),
                node("Concat", ["batch", "one", "length", "one"], ["new"], attribute("axis", 0)),
                node("ConstantOfShape", ["new"], ["fresh"]),
                *(node("Concat", [old, "fresh"], [new], attribute("axis", 2)) for old, new in caches),
            ],
            [
                tensor("table", floats, [size, size], b"".join(struct.pack(f"<{size}f", *it) for it in rows)),
                tensor("zero", integers, [1], struct.pack("<q", 0)),
                tensor("one", integers, [1], struct.pack("<q", 1)),
            ],
            [
                value("input_ids", integers, ["batch", "length"]),
                value("attention_mask", integers, ["batch", "all"]),
                *(value(old, floats, ["batch", 1, "past", 1]) for old, _ in caches),
            ],
            [
                value("logits", floats, ["batch", "length", size]),
                *(value(new, floats, ["batch", 1, "all", 1]) for _, new in caches),
            ],
        )
    )


def _config(size: int, end: int) -> dict[str, Any]:
    decoder = {
        "session_options": {"provider_options": []},
        "filename": "model.onnx",
        **dict.fromkeys(("head_size", "hidden_size", "num_attention_heads"), 1),
        **dict.fromkeys(("num_hidden_layers", "num_key_value_heads"), 1),
        "inputs": {
            "input_ids": "input_ids",
            "attention_mask": "attention_mask",
            **{f"past_{it}_names": f"past_key_values.%d.{it}" for it in _KEYS},
        },
        "outputs": {"logits": "logits", **{f"present_{it}_names": f"present.%d.{it}" for it in _KEYS}},
    }
    numbers = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"), end)
    return {
        "model": {
            **numbers,
            "context_length": _CONTEXT,
            "type": "llama",
            "vocab_size": size,
            "decoder": decoder,
        },
        "search": {"max_length": _CONTEXT, "past_present_share_buffer": False, "do_sample": False},
    }


def _tokenizer(vocabulary: dict[str, int], merges: list[str]) -> dict[str, Any]:
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    parts = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "added_tokens": [{"id": vocabulary[_END], "content": _END, **plain, "special": True}],
        "normalizer": None,
        "pre_tokenizer": parts,
        "post_processor": None,
        "decoder": parts,
        "model": {"type": "BPE", "unk_token": None, "vocab": vocabulary, "merges": merges},
    }


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()
