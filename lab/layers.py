"""Layers: what is on a host over its base tree, frozen, so that any number of hosts lie over it.

A clone shares all that its source had on disk, the pages that the kernel keeps of it included, and
costs no copy. A host records its layers, topmost first; a layer goes with the last host that does.
"""

from __future__ import annotations

import json
import uuid
from pathlib import Path

from lab.state import STATE, machine, write_whole

LAYERS = STATE / "layers"

_RECORD = "layers.json"


def of(folder: Path) -> list[Path]:
    """The layers that the host of this folder lies over, topmost first."""
    try:
        return [LAYERS / name for name in json.loads((folder / _RECORD).read_text())]
    except FileNotFoundError:
        return []


def freeze(folder: Path) -> None:
    """Make a layer of what the host of this folder has written, if anything. Nothing of it may be mounted."""
    written = folder / "upper"
    if not written.exists():  # it was not started since it was frozen last
        return
    layer = LAYERS / uuid.uuid4().hex[:12]
    LAYERS.mkdir(parents=True, exist_ok=True)
    # Recorded before it is there: who looks for layers that nobody needs must never find it so.
    _record(folder, [layer, *of(folder)])
    written.rename(layer)


def share(source: Path, target: Path) -> None:
    """Let the host of folder `target` lie over the same layers as that of `source`."""
    _record(target, of(source))


def forget_unused(hosts: Path) -> None:
    """Remove the layers that no host below this folder lies over."""
    used = {layer for record in hosts.glob(f"*/{_RECORD}") for layer in of(record.parent)}
    for layer in LAYERS.glob("*"):
        if layer not in used:
            machine(["rm", "-rf", "--one-file-system", layer])


def _record(folder: Path, layers: list[Path]) -> None:
    write_whole(folder / _RECORD, json.dumps([layer.name for layer in layers]) + "\n")
