"""Writes ONNX's protocol buffers (onnx.proto): as much of them as a small model takes."""

from __future__ import annotations

from collections.abc import Iterable

_IR, _OPSET = 9, 17
_INT = 2  # AttributeProto.AttributeType


def model(content: bytes) -> bytes:
    """A ModelProto of this graph."""
    return _number(1, _IR) + _bytes(7, content) + _bytes(8, _number(2, _OPSET))


def graph(
    nodes: Iterable[bytes], tensors: Iterable[bytes], inputs: Iterable[bytes], outputs: Iterable[bytes]
) -> bytes:
    """A GraphProto."""
    parts = ((1, nodes), (5, tensors), (11, inputs), (12, outputs))
    return _bytes(2, b"lab") + b"".join(_bytes(field, it) for field, those in parts for it in those)


def node(operator: str, inputs: Iterable[str], outputs: Iterable[str], *attributes: bytes) -> bytes:
    """A NodeProto."""
    named = b"".join(_bytes(1, it.encode()) for it in inputs)
    named += b"".join(_bytes(2, it.encode()) for it in outputs)
    return named + _bytes(4, operator.encode()) + b"".join(_bytes(5, it) for it in attributes)


def attribute(name: str, number: int) -> bytes:
    """An AttributeProto with an integer."""
    return _bytes(1, name.encode()) + _number(3, number) + _number(20, _INT)


def tensor(name: str, kind: int, shape: Iterable[int], raw: bytes) -> bytes:
    """A TensorProto. `kind`: number of its elements' type; `raw`: they themselves, little-endian."""
    dimensions = b"".join(_number(1, it) for it in shape)
    return dimensions + _number(2, kind) + _bytes(8, name.encode()) + _bytes(9, raw)


def value(name: str, kind: int, shape: Iterable[int | str]) -> bytes:
    """A ValueInfoProto: what goes in or comes out. A dimension with a name is of any length."""
    dimensions = b"".join(
        _bytes(1, _number(1, it) if isinstance(it, int) else _bytes(2, it.encode())) for it in shape
    )
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, _number(1, kind) + _bytes(2, dimensions)))


def _number(field: int, number: int) -> bytes:
    return _varint(field << 3) + _varint(number)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])
