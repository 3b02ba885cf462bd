"""What is remembered of a host's figures: a line a measurement, on the host and on the controller.

The host's lines are those of every controller; the controller's outlive a host that is made anew. So
both are read, and what either knows is known.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from roles.verification.acceptance import REPORTS, Measured

FOLDER = REPORTS / "history"
KEEP = 200  # lines, on either side: years of releases in some 200 kB


def line(it: Measured) -> str:
    """A measurement as its line."""
    return json.dumps(asdict(it), ensure_ascii=False, sort_keys=True)


def parsed(lines: Iterable[str]) -> list[Measured]:
    """The measurements of these lines, the oldest first; what is none is left out, wherever it comes from."""
    found = {(it.at, it.generation): it for text in lines if (it := _measurement(text)) is not None}
    return [found[key] for key in sorted(found)]


def _measurement(text: str) -> Measured | None:
    try:
        document: dict[str, Any] = json.loads(text)
        fields = {name: str(document[name]) for name in ("at", "generation", "release", "profile")}
        return Measured(**fields, metrics={str(k): float(v) for k, v in document["metrics"].items()})
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def remembered(host: str, lines: Sequence[str], folder: Path = FOLDER) -> list[Measured]:
    """What the host's lines and the controller's own have together; the controller keeps all of it."""
    path = folder / f"{host}.jsonl"
    own = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    known = parsed([*own, *lines])[-KEEP:]
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text("".join(f"{line(it)}\n" for it in known), encoding="utf-8")
    part.rename(path)
    return known
