"""A voice of piper's, of a few hundred bytes: no stand-in, but all that it can do is hum."""

from __future__ import annotations

import json
import struct

from lab.onnx.proto import attribute, graph, model, node, tensor, value

RATE = 16000
_LETTERS = "abcdefghijklmnopqrstuvwxyz .,!?"


def files() -> dict[str, bytes]:
    """All of it, by path; the same bytes each time."""
    integers, floats = 7, 1  # as ONNX numbers types of elements
    network = model(
        graph(
            [
                # The numbers of the phonemes, one sample each, between silence and the full height.
                node("Cast", ["input"], ["numbers"], attribute("to", floats)),
                node("Div", ["numbers", "most"], ["samples"]),
                node("Unsqueeze", ["samples", "axis"], ["output"]),
            ],
            [
                tensor("most", floats, [], struct.pack("<f", 64.0)),
                tensor("axis", integers, [1], struct.pack("<q", 1)),
            ],
            [
                value("input", integers, ["batch", "phonemes"]),
                value("input_lengths", integers, ["batch"]),
                value("scales", floats, [3]),
            ],
            [value("output", floats, ["batch", 1, "phonemes"])],
        )
    )
    phonemes = {"_": [0], "^": [1], "$": [2], **{it: [at] for at, it in enumerate(_LETTERS, 3)}}
    config = {
        "audio": {"sample_rate": RATE},
        "espeak": {"voice": "en-us"},
        "phoneme_type": "text",
        "num_symbols": 64,
        "num_speakers": 1,
        "inference": {"noise_scale": 0.0, "length_scale": 1.0, "noise_w": 0.0},
        "phoneme_id_map": phonemes,
    }
    return {"en/hum.onnx": network, "en/hum.onnx.json": json.dumps(config).encode()}
