"""What a schema had nothing against is not checked again; whatever differs from that is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from schemas.inventory import InventoryError, load
from tests.schemas.conftest import Write

_LOADED = """
import sys
from schemas.inventory import load
load(sys.argv[1], sound=set(sys.argv[2:]))
print("jsonschema" in sys.modules)
"""


def checks(path: Path, sound: set[str]) -> bool:
    """Whether a process that knows these keys asks the schema when it loads an inventory."""
    command = [sys.executable, "-c", _LOADED, str(path), *sound]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout == "True\n"


def test_an_inventory_that_was_found_sound_is_not_checked_again(write: Write) -> None:
    path, sound = write("hosts: {box: {profile: light}}"), set[str]()
    first = load(path, sound=sound)
    assert len(sound) == 1
    assert checks(path, set())
    assert not checks(path, sound)
    assert load(path, sound=sound).hosts == first.hosts


def test_an_inventory_that_says_something_else_is_checked(write: Write) -> None:
    sound = set[str]()
    load(write("hosts: {box: {profile: light}}"), sound=sound)
    with pytest.raises(InventoryError, match="3000"):
        load(write("hosts: {box: {profile: light, ports: {ui: '3000'}}}"), sound=sound)
    assert len(sound) == 1
    load(write("hosts: {box: {profile: llm_off}}"), sound=sound)
    assert len(sound) == 2


def test_a_faulty_inventory_is_refused_each_time(write: Write) -> None:
    path, sound = write("hosts: {box: {profile: heavy}}"), set[str]()
    for _ in range(2):
        with pytest.raises(InventoryError, match="heavy"):
            load(path, sound=sound)
    assert sound == set()
