"""What is made once a session of tests, whichever of its processes needs it first."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.state import locked


def pid() -> int:
    """Of the process that the session began with: this one, or the one that started it as a worker."""
    return os.getppid() if _is_worker() else os.getpid()


def folder(factory: pytest.TempPathFactory) -> Path:
    """One that all processes of the session share."""
    own = factory.getbasetemp()
    return own.parent if _is_worker() else own


def once(shared: Path, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` returned to the first process that asked; the others wait for it."""
    stored = shared / f"{name}.json"
    with locked(name, shared):
        if not stored.exists():
            stored.write_text(json.dumps(make()), encoding="utf-8")
        found: dict[str, Any] = json.loads(stored.read_text(encoding="utf-8"))
        return found


def _is_worker() -> bool:
    return "PYTEST_XDIST_WORKER" in os.environ
