"""A tree that a bundle filled is a store: its own programs find everything there, and fetch nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from fleet.bundle import contents
from roles.store.scripts import faces
from schemas.plan import item as kinds
from schemas.plan.item import Item
from tests.fleet.bundle.conftest import Making
from tests.fleet.bundle.places import Places, places
from tests.fleet.bundle.test_gathering import _file, _gather, _image, _model, _package, _tarball, _tree

SCRIPTS = Path(__file__).parents[3] / "roles" / "store" / "scripts"
_LIST = """
import json, sys, tree
tree.make_folders()
tree.write_held({it.pop("id"): it for it in json.load(sys.stdin)})
print(open(tree.path_of(tree.HELD), encoding="utf-8").read(), end="")
"""
HELD = "import json, sys, tree; print(json.dumps([tree.held(it) for it in json.load(sys.stdin)]))"


@pytest.fixture
def held() -> Iterator[Places]:
    """Places without anything."""
    with places() as found:
        yield found


def _of_amd64(item: Item) -> Item:
    return replace(item, fits=("amd64",)) if item.kind == kinds.IMAGE else item


def run(program: str, root: Path, items: Sequence[object]) -> str:
    """What a program with a store's scripts prints, of items on its standard input."""
    return subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(items),
        env={**os.environ, "VENOM_STORE": str(root), "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_programs_of_a_store_hold_what_a_bundle_filled(
    making: Making, held: Places, tmp_path: Path
) -> None:
    needed = [_file(held), *_model(held), _image(held), _package(held), _tarball(held)]
    (tmp_path / "root").mkdir()
    _tree(making, _gather(tmp_path, needed)).rename(tmp_path / "root" / "tree")
    items = [_of_amd64(it.item) for it in needed]
    answers = json.loads(run(HELD, tmp_path / "root", [asdict(it) for it in items]))
    assert dict(zip((it.name for it in items), answers, strict=True)) == {it.name: True for it in items}
    assert len(items) == 6
    listed = run(_LIST, tmp_path / "root", [{**asdict(it), "id": it.id} for it in items])
    assert contents.held(items) == listed


@pytest.mark.parametrize("name", ["bundle.md", "bundle.pl.md"])
def test_the_web_server_of_the_document_gives_every_manifest_its_type(name: str) -> None:
    text = (SCRIPTS.parents[2] / "docs" / name).read_text(encoding="utf-8")
    plain, *others = faces.MANIFEST_TYPES
    assert f"set $type {plain};" in text
    for it in others:
        assert f"types/{faces.type_name(it)}$uri) {{\n        set $type {it};" in text
