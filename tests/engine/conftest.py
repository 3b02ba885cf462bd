"""What tests of the engine share."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from engine import remote


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The script that runs on the host."""
    monkeypatch.syspath_prepend(str(remote.SCRIPTS))
    yield importlib.import_module("switch_services")
    for name in ("switch_services", "switch_files", "blobs", "spill", "fingerprint", "hidden"):
        sys.modules.pop(name, None)
