"""Which inventory the demonstration provisions: the repository's own, or one made from it.

What the environment asks for (VENOM_SOURCE, VENOM_RELEASE, VENOM_PROFILE, VENOM_LAB_OLLAMA) is written over
a copy of `inventories/lab.yaml`, which lies in the lab's state with a copy of `inventories/lab.py` beside it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab import upstream_ollama
from lab.state import REPOSITORY, STATE, USUAL, LabError, write_whole
from schemas.data.contract import contract

INVENTORY = REPOSITORY / "inventories" / "lab.py"

_ASKED = ("VENOM_SOURCE", "VENOM_RELEASE", "VENOM_PROFILE")


def inventory(environment: Mapping[str, str]) -> Path:
    """The inventory's `.py` for pyinfra; its `.yaml` lies beside it."""
    source, release, profile = (environment.get(name) or None for name in _ASKED)
    upstream = upstream_ollama.chosen(environment) == upstream_ollama.UPSTREAM
    if not (source or release or profile or upstream) and STATE == USUAL:
        return INVENTORY
    fleet = default(environment)
    if source:
        _everywhere(fleet, "venom", {"release": release or contract().release, **_location(source)})
    elif release:  # from where the release itself is published
        _everywhere(fleet, "venom", {"release": release})
    if profile:
        _everywhere(fleet, "profile", profile)
    return write(fleet, STATE / "fleet.py")


def default(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What the repository's own inventory says, fit to be written elsewhere: its paths are absolute.

    Where the lab's state lies elsewhere, so do its pins and keys. Where Ollama comes from upstream, so do its
    models: not from the lab's registry.
    """
    text = INVENTORY.with_suffix(".yaml").read_text().replace(str(USUAL), str(STATE))
    declared: dict[str, Any] = yaml.safe_load(text)
    absolute: dict[str, Any] = _absolute(declared, INVENTORY.parent)
    if upstream_ollama.chosen(environment) == upstream_ollama.UPSTREAM:
        absolute["defaults"]["mirrors"].pop("ollama", None)
    return absolute


def write(fleet: Mapping[str, Any], path: Path) -> Path:
    """Write an inventory: the YAML, and beside it the `.py` that reads it. Returns the `.py`."""
    text = yaml.safe_dump(dict(fleet), sort_keys=False, allow_unicode=True)
    write_whole(path.with_suffix(".yaml"), text)
    shutil.copyfile(INVENTORY, path)
    return path


def _everywhere(fleet: dict[str, Any], key: str, value: object) -> None:
    """Make it the fleet's default, and remove what a group or a host says instead."""
    fleet["defaults"] = {**(fleet.get("defaults") or {}), key: value}
    for part in ("groups", "hosts"):
        for settings in (fleet.get(part) or {}).values():
            if isinstance(settings, dict):
                settings.pop(key, None)


def _location(source: str) -> dict[str, str]:
    """What the inventory's `venom` says for a repository: a local one by path, else a URL."""
    path = Path(source).expanduser()
    if not path.exists():
        if "://" in source or "@" in source:
            return {"git": source}
        raise LabError(f"VENOM_SOURCE={source}: no such repository, and no URL of one")
    command = ["git", "-C", str(path), "rev-parse", "--git-dir"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"VENOM_SOURCE={source}: {done.stderr.strip()}")
    return {"repository": str(path.resolve())}


def _absolute(value: Any, folder: Path) -> Any:
    """The same data with every path that leads somewhere from `folder` made absolute."""
    if isinstance(value, dict):
        return {key: _absolute(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [_absolute(item, folder) for item in value]
    if isinstance(value, str) and "/" in value and (folder / value).exists():
        return str((folder / value).resolve())
    return value
