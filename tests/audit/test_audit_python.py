"""The audit and the interpreter agree on which modules an import runs, whatever the tree is like."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from audit.graph import reach
from audit.tree import of_folder
from audit.when import When

# Packages with and without __init__.py, and modules in and beside them, one of a package's own name.
FILES = [
    "app/__init__.py",
    "app/main.py",
    "app/a.py",
    "app/sub/__init__.py",
    "app/sub/b.py",
    "app/sub/c.py",
    "app/sub/deep/d.py",
    "app/plain/e.py",
    "app/plain.py",
    "app/sub.py",
    "other/__init__.py",
    "other/f.py",
    "alone.py",
]
MODULES = ["app", "app.a", "app.sub", "app.sub.b", "app.sub.c", "app.sub.deep.d", "other.f", "other", "alone"]
FORMS = [
    "{plain}",
    "class A:\n    {plain}",
    "try:\n    {plain}\nexcept ImportError:\n    raise",
    "try:\n    {plain}\nexcept ImportError:\n    pass",
    "try:\n    pass\nfinally:\n    {plain}",
    "for _ in 'x':\n    {plain}",
    "import sys\nif sys.platform == 'linux':\n    {plain}",
    # What never runs.
    "def _f():\n    {plain}",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    {plain}",
    "if __name__ == '__main__':\n    {plain}",
]


@st.composite
def _statement(draw: st.DrawFn, path: str) -> str:
    target = draw(st.sampled_from(MODULES))
    package, _, leaf = target.rpartition(".")
    ways = [f"import {target}", f"import {target} as x", f"__import__('{target}')", f"from {target} import *"]
    if package:
        ways.append(f"from {package} import {leaf}")
    depth = path.count("/")
    if target.startswith("app.") and path.startswith("app/"):
        below = target.removeprefix("app.").rpartition(".")
        ways.append(f"from {'.' * depth}{below[0]} import {below[2]}")
    form, plain = draw(st.sampled_from(FORMS)), draw(st.sampled_from(ways))
    # Python allows a star at the top level only.
    return plain if "*" in plain else form.format(plain=plain)


@st.composite
def _source(draw: st.DrawFn) -> dict[str, str]:
    return {path: "\n".join(draw(st.lists(_statement(path), max_size=4))) + "\n" for path in FILES}


def _loaded(folder: Path) -> set[str]:
    """What really runs. The texts hold nothing that could fail but an import."""
    code = "import json, sys, app.main; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-c", code],
        env={**os.environ, "PYTHONPATH": str(folder)},
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return set(json.loads(done.stdout))


@settings(max_examples=int(os.environ.get("VENOM_EXAMPLES", "20")), deadline=None)
@given(_source())
def test_what_is_predicted_to_run_at_start_is_what_runs(source: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in source.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        tree = of_folder(folder)
        predicted = {
            module for module, when in reach(tree, "app.main").modules.items() if when <= When.GUARDED
        }
        assert predicted == _loaded(folder) & tree.modules.keys()
