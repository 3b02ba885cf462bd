"""Names say what they hold; verbs of speech are none for reading, writing and deciding (rule E4)."""

from __future__ import annotations

import re
import tokenize
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("audit", "deploy", "engine", "fleet", "inventories", "lab", "roles", "schemas", "tests")
SPEECH = re.compile(r"(?:.*_)?(?:heard|noted|said|say|saying|says|tell|telling|tells|told)(?:_.*)?")


def spoken(path: Path) -> list[str]:
    """Where a file has a name of speech. A test's name is a sentence: it may say what the product says."""
    with path.open("rb") as file:
        names = [it for it in tokenize.tokenize(file.readline) if it.type == tokenize.NAME]
    return [
        f"{path.relative_to(ROOT)}:{it.start[0]} {it.string}"
        for it in names
        if SPEECH.fullmatch(it.string) and not it.string.startswith("test_")
    ]


def test_no_name_is_a_verb_of_speech() -> None:
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    # An environment that the bench made below the lab is others' code.
    files = [path for path in found if ".venv" not in path.parts]
    assert len(files) > 400
    assert [it for path in files for it in spoken(path)] == []
