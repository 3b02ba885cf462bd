"""This provisioner as archives: its own files, and the packages of its environment as installed here.

A host runs what the operator ran. So it needs the same Python and architecture, and no package index.
"""

from __future__ import annotations

import gzip
import io
import os
import platform
import re
import sys
import tarfile
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

from engine.refusal import refuse

ROOT = Path(__file__).resolve().parents[2]
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
MACHINE = platform.machine()
# What a run of deploy/venom.py reads.
_OURS = ("audit", "config.py", "deploy", "engine", "fleet", "pyproject.toml", "roles", "schemas")


def house() -> bytes:
    """Our own files."""
    named = [ROOT / it for it in _OURS]
    files = [it for one in named for it in (sorted(one.rglob("*")) if one.is_dir() else [one])]
    return archive({str(it.relative_to(ROOT)): it.read_bytes() for it in files if _is_source(it)})


def environment() -> bytes:
    """The packages that we need, as they are installed here. Raises RefusedError where one is missing."""
    found: dict[str, bytes] = {}
    for one in _installed():
        for file in one.files or ():
            path = Path(str(one.locate_file(file)))
            # Commands lie outside; a run is started as a module.
            if ".." not in file.parts and _is_source(path):
                found[str(file)] = path.read_bytes()
    return archive(found)


def archive(files: Mapping[str, bytes]) -> bytes:
    """A .tar.gz of these: the same bytes for the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), compresslevel=1, mtime=0)


def _is_source(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def _installed() -> Iterator[Distribution]:
    """This project's distribution, and each that it needs, directly or not."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted, seen = [project["name"]], set[str]()
    while wanted:
        name = wanted.pop()
        # As PEP 503 compares names.
        plain = re.sub(r"[-_.]+", "-", name).lower()
        if plain in seen:
            continue
        seen.add(plain)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            remedy = "install it again: .venv/bin/pip install -e ."
            raise refuse(f"{name} in this environment", f"not in {os.fspath(sys.prefix)}", remedy) from None
        yield found
        for text in found.requires or ():
            requirement = Requirement(text)
            # Without extras: what is for tests and acceptance, no host needs.
            if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
                wanted.append(requirement.name)
