"""Templates: compiled once on a machine, and never taken for what they no longer say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_RENDER = "import sys; from engine.templates import render; print(render(sys.argv[1], 'it.j2', name='Ada'))"


def rendered(folder: Path, text: str) -> str:
    """What a process of its own makes of a template with this text; its cache lies in the folder."""
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "templates" / "it.j2").write_text(text, encoding="utf-8")
    command = [sys.executable, "-c", _RENDER, str(folder / "deploy.py")]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def kept(folder: Path) -> dict[str, int]:
    """The compiled templates, each with the time at which it was written, in nanoseconds."""
    return {it.name: it.stat().st_mtime_ns for it in folder.glob("venom-provisioner/templates/*.cache")}


def test_a_second_run_takes_the_template_that_the_first_one_compiled(tmp_path: Path) -> None:
    first = rendered(tmp_path, "Hello {{ name }}")
    before = kept(tmp_path)
    assert len(before) == 1
    assert rendered(tmp_path, "Hello {{ name }}") == first == "Hello Ada\n"
    assert kept(tmp_path) == before


def test_a_template_that_was_changed_is_compiled_anew(tmp_path: Path) -> None:
    rendered(tmp_path, "Hello {{ name }}")
    assert rendered(tmp_path, "Good day, {{ name }}") == "Good day, Ada\n"


def test_a_kept_template_that_is_damaged_is_compiled_anew(tmp_path: Path) -> None:
    rendered(tmp_path, "Hello {{ name }}")
    for name in kept(tmp_path):
        (tmp_path / "venom-provisioner" / "templates" / name).write_bytes(b"")
    assert rendered(tmp_path, "Hello {{ name }}") == "Hello Ada\n"


def test_without_a_cache_that_can_be_written_templates_are_compiled_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "venom-provisioner").write_text("a file in the folder's place", encoding="utf-8")
    assert rendered(tmp_path, "Hello {{ name }}") == "Hello Ada\n"
