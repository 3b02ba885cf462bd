"""The same from a real import: time, memory and size of each package in a resolved environment.

Two imports, each by a process of its own in a copy of the source. The first runs under `-X importtime`,
as somebody would measure by hand; the second watches every module (`scripts/imports.py`).

- Time is what the interpreter says, in microseconds: a package's own modules, and these with all that
  they imported first. A busy machine makes all of it longer.
- Memory is the growth of the resident set while a package's modules ran, in bytes. Whoever is first pays
  for what is shared, and memory that was freed before is not seen: a figure to compare with, no more.
- Size is that of the package's files, without bytecode.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from audit.graph import is_stdlib
from audit.packages import Naming, installed
from audit.report import audit
from audit.tree import SourceError, Tree
from schemas.data.dependencies import Matrix

_SCRIPT = Path(__file__).parent / "scripts" / "imports.py"
_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|( +)(\S+)")
_CERTAIN = ("start-up", "conditional", "guarded")
_INSTALLED = """
import importlib.metadata, json, sys
found = {}
for it in importlib.metadata.distributions():
    files = [f for f in it.files or [] if f.suffix != ".pyc"]
    sizes = [p.stat().st_size for f in files if (p := f.locate()).is_file()]
    found[it.name] = {"version": it.version, "installed": sum(sizes), "files": [str(f) for f in files]}
print(json.dumps({"python": "%d.%d.%d" % sys.version_info[:3], "packages": found}))
"""


def measured(tree: Tree, environment: Path, matrix: Matrix, entry: str) -> dict[str, Any]:
    """The audit of `tree` with what importing it in this virtual environment costs.

    Raises SourceError where there is no interpreter, or the import fails.
    """
    python = environment / "bin" / "python"
    if not python.exists():
        raise SourceError(
            "a virtual environment",
            f"no {python}",
            "make one: uv venv, then uv pip install --require-hashes -r locks/…",
        )
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        _lay_out(tree, scratch)
        there = json.loads(_run([python, "-c", _INSTALLED], scratch)[0])
        packages = {str(canonicalize_name(name)): it for name, it in there["packages"].items()}
        naming = installed({name: it["files"] for name, it in packages.items()})
        # Bytecode is written by a first import that nobody measures: a host has it, too.
        _run([python, "-c", f"import {entry}"], scratch)
        begun = time.monotonic()
        times = _times(_run([python, "-X", "importtime", "-c", f"import {entry}"], scratch)[1], naming)
        seconds = time.monotonic() - begun
        watched = json.loads(_run([python, _SCRIPT, entry], scratch)[0].splitlines()[-1])
    found = audit(tree, matrix, entry, naming)
    memory = _memory(watched, naming)
    for row in found["packages"]:
        row["measured"] = _figures(row["package"], packages, times, memory)
    found["measured"] = {
        "python": there["python"],
        "seconds": round(seconds, 1),
        "resident": watched["resident"],
        "packages": len(packages),
        "installed": sum(it["installed"] for it in packages.values()),
        "loaded": {name: _figures(name, packages, times, memory) for name in sorted(packages)},
        "differ": _differences(found, watched, naming, packages),
    }
    return found


def _lay_out(tree: Tree, scratch: Path) -> None:
    for path, content in tree.files.items():
        (scratch / path).parent.mkdir(parents=True, exist_ok=True)
        (scratch / path).write_bytes(content)


def _run(command: list[str | Path], scratch: Path) -> tuple[str, str]:
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(scratch),
        "ENV_FILE": str(scratch / "venom.env"),
        "PYTHONPATH": str(scratch),
    }
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, errors="replace", cwd=scratch, env=environment
    )
    if done.returncode != 0:
        message = "\n          ".join(done.stderr.strip().splitlines()[-8:])
        raise SourceError(
            "an application that imports in this environment",
            message or "no message",
            "install what is missing, or audit without --environment",
        )
    return done.stdout, done.stderr


def _times(text: str, naming: Naming) -> dict[str, tuple[int, int]]:
    """Package → microseconds of its own, and with what it imported first."""
    own: dict[str, int] = defaultdict(int)
    everything: dict[str, int] = defaultdict(int)
    stack: list[tuple[int, str | None]] = []
    # A line comes after those of what it imported: from the end on, parents come first.
    for found in reversed([*_LINE.finditer(text)]):
        depth, package = len(found[3]), _package(found[4], naming)
        while stack and stack[-1][0] >= depth:
            stack.pop()
        if package is not None:
            own[package] += int(found[1])
            if package not in (it for _, it in stack):
                everything[package] += int(found[2])
        stack.append((depth, package))
    return {name: (own[name], everything[name]) for name in own}


def _memory(watched: Mapping[str, Any], naming: Naming) -> dict[str, tuple[int, int]]:
    """Package → bytes of its own, and with those packages that it asked for first."""
    own: dict[str, int] = defaultdict(int)
    first: dict[str, str | None] = {}
    for module in watched["importers"]:
        package = _package(module, naming)
        if package is None:
            continue
        own[package] += watched["grown"].get(module, 0)
        first.setdefault(package, _package(watched["importers"][module][0], naming))
    everything = dict(own)
    for package, grown in own.items():
        above, seen = first[package], {package}
        while above is not None and above not in seen:
            everything[above] = everything.get(above, 0) + grown
            seen.add(above)
            above = first.get(above)
    return {name: (own[name], everything[name]) for name in own}


def _package(module: str, naming: Naming) -> str | None:
    return None if is_stdlib(module) else naming(module)


def _figures(
    name: str,
    packages: Mapping[str, Any],
    times: Mapping[str, tuple[int, int]],
    memory: Mapping[str, tuple[int, int]],
) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    if name in packages:
        figures |= {"version": packages[name]["version"], "installed": packages[name]["installed"]}
    if name in times:
        figures |= {"import_us": times[name][0], "import_all_us": times[name][1]}
    if name in memory:
        figures |= {"memory": memory[name][0], "memory_all": memory[name][1]}
    return figures


def _differences(
    found: Mapping[str, Any], watched: Mapping[str, Any], naming: Naming, packages: Mapping[str, Any]
) -> list[str]:
    """Where the text and the run say different things, for modules of the source and for packages."""
    differences: list[str] = []
    top = found["entry"].split(".")[0]
    ran = {name for name in watched["importers"] if name.split(".")[0] == top and name in watched["grown"]}
    start_up = set(found["start_up"])
    differences += [f"{name}: predicted to run at each start, but did not" for name in sorted(start_up - ran)]
    differences += [f"{name}: ran, but was not predicted to" for name in sorted(ran - start_up)]
    loaded = {package for name in watched["importers"] if (package := _package(name, naming))}
    for row in found["packages"]:
        name, certain = row["package"], row["when"] in _CERTAIN
        if row["modules"] and certain and name in packages and name not in loaded:
            differences.append(f"{name}: predicted {row['when']}, is installed, but was not imported")
        elif not certain and name in loaded:
            by = _first(name, watched, naming)
            differences.append(f"{name}: predicted {row['when']}, but was imported at start-up, by {by}")
    return differences


def _first(package: str, watched: Mapping[str, Any], naming: Naming) -> str:
    for module, (by, _, line) in watched["importers"].items():
        if _package(module, naming) == package:
            return f"{by}, line {line}"
    return "?"
