"""Writes the figures of the matrix: nobody else changes `schemas/data/dependencies.figures.yaml`.

What the environment has is measured there. Of the heavy tiers nothing is installed: their figures are the
sizes of the wheels, as the package index states them, for the versions that the resolver would take.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
import yaml
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename
from uv import find_uv_bin

from audit.tree import SourceError, Tree
from schemas.data import dependencies
from schemas.data.contract import contract

PATH = dependencies.PATH.with_name("dependencies.figures.yaml")
_HEAD = """\
# The figures of dependencies.yaml. Written by
#   python -m audit REPOSITORY --release RELEASE --environment FOLDER --matrix
# and not by hand. Bytes, and microseconds. What the columns mean and how good they are: audit/measure.py.
"""
_PYTHON = (3, 12)
_LEAST = 0.2  # of a size: less is no news


def heavy(tree: Tree, release: str) -> dict[str, Any]:
    """Tier → number of packages, and bytes of the wheels of those that the matrix keeps out of light.

    A tier that cannot be resolved says so. Raises SourceError where the index does not answer.
    """
    tiers = contract().requirements.values()
    found = {}
    for tier in tiers:
        files = [name for name in tier.files_of(release) if name in tree.files]
        if tier.kind != "core-light" and files:
            after = next((it for it in tier.after if it != "onnx"), "")
            base = list(contract().requirements[after].files_of(release)) if after else []
            found[tier.name] = _sizes(tree, [*base, *files])
    return found


def write(found: Mapping[str, Any], tiers: Mapping[str, Any]) -> list[str]:
    """Write the figures of an audit that has measured; gives what changed, the gravest first."""
    before = yaml.safe_load(PATH.read_text(encoding="utf-8")) if PATH.exists() else {}
    measured = found["measured"]
    critical = {row["package"] for row in found["packages"] if row["critical"]}
    figures = {
        "measured": {
            "source": found["source"].split()[0],
            "on": datetime.now(UTC).strftime("%Y-%m-%d"),
            "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, shared with other work",
            "python": measured["python"],
            "seconds": measured["seconds"],
            "memory": measured["resident"][1] - measured["resident"][0],
            "packages": measured["packages"],
            "installed": measured["installed"],
        },
        "packages": {
            name: {**({"start_up": True} if name in critical else {}), **it}
            for name, it in measured["loaded"].items()
        },
        "tiers": dict(tiers),
    }
    PATH.write_text(_HEAD + yaml.safe_dump(figures, sort_keys=False, width=160), encoding="utf-8")
    return [text for _, text in sorted(_changes(before.get("packages", {}), figures["packages"]))]


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name, {}), after.get(name, {})
        if now.get("start_up") and not was.get("start_up"):
            yield 0, f"start-up critical now  {name}"
        elif was.get("start_up") and not now.get("start_up"):
            yield 1, f"no longer critical     {name}"
        elif not (was and now):
            yield (
                2,
                f"{'new' if now else 'gone':<21}  {name}: {(now or was).get('installed', 0) / 1e6:.1f} MB",
            )
        elif abs(change := now["installed"] - was["installed"]) > _LEAST * max(was["installed"], 1e6):
            yield 3, f"size                   {name}: {change / 1e6:+.1f} MB"


def _sizes(tree: Tree, files: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in tree.files.items():
            if name.endswith(".txt"):
                (Path(folder) / name).write_bytes(content)
        command = [find_uv_bin(), "pip", "compile", "--quiet", "--format", "pylock.toml", "--output-file"]
        command += ["pylock.toml", "--python", sys.executable, "--python-version", "3.12"]
        command += ["--python-platform", "x86_64-unknown-linux-gnu", *files]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)
        if done.returncode != 0:
            message = " ".join(done.stderr.split())
            if "No solution found" not in message:
                raise SourceError(
                    "a package index that answers", message[-300:], "check this machine's network"
                )
            return {"unresolvable": message.partition("cause: ")[2]}
        packages = tomllib.loads((Path(folder) / "pylock.toml").read_text(encoding="utf-8"))["packages"]
    matrix = dependencies.matrix()
    excluded = {
        it["name"]: _size(it)
        for it in packages
        if (decided := matrix.of(it["name"])) and decided.decision == dependencies.EXCLUDED
    }
    return {"packages": len(packages), "excluded_from_light": excluded, "bytes": sum(excluded.values())}


def _size(package: Mapping[str, Any]) -> int:
    """Bytes of the wheel that would be downloaded; 0 where neither index nor server says so."""
    machines = [f"manylinux_2_{minor}_x86_64" for minor in range(40, 4, -1)]
    machines += ["manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64"]
    tags = [*cpython_tags(_PYTHON, platforms=machines), *compatible_tags(_PYTHON, platforms=machines)]
    rank = {tag: number for number, tag in enumerate(tags)}
    fitting = [
        (min(rank[tag] for tag in its if tag in rank), number)
        for number, wheel in enumerate(package.get("wheels", ()))
        if (its := parse_wheel_filename(wheel.get("name") or wheel["url"].rsplit("/", 1)[-1])[3])
        & rank.keys()
    ]
    if not fitting:
        return 0
    wheel = package["wheels"][min(fitting)[1]]
    return int(wheel.get("size") or _size_at(wheel["url"]))


def _size_at(url: str) -> int:
    # Not every index states sizes (PEP 700); then the server of the file does.
    answer = requests.head(
        url, timeout=30, allow_redirects=True, verify=os.environ.get("SSL_CERT_FILE") or True
    )
    return int(answer.headers.get("Content-Length", 0)) if answer.ok else 0
