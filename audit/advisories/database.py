"""Reading a database of advisories from folders and zip files."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from audit.tree import SourceError

_WHERE = "name a folder or a zip file of advisories, as osv.dev gives them out for each ecosystem"
# An ecosystem, and a package's name in it.
Package = tuple[str, str]


@dataclass(frozen=True)
class Database:
    """What a database has of the packages that were asked for."""

    advisories: list[dict[str, Any]]
    read: int  # how many advisories there were, of all packages
    newest: str  # when the newest of them was changed: UTC, ISO 8601


def package_of(ecosystem: str, name: str) -> Package:
    """A package as it is looked up: names of PyPI are written in many ways."""
    return ecosystem, str(canonicalize_name(name)) if ecosystem == "PyPI" else name


def packages_of(advisory: dict[str, Any]) -> set[Package]:
    """All that an advisory concerns. Raises KeyError or TypeError where it has another form."""
    named = [it["package"] for it in advisory.get("affected", ()) if "package" in it]
    return {package_of(it["ecosystem"], it["name"]) for it in named}


def read(path: Path, wanted: Container[Package]) -> Database:
    """The database at a path: a folder, a zip file, or a single advisory. Raises SourceError."""
    found, count, newest = [], 0, ""
    for name, text in _texts(path):
        try:
            advisory = json.loads(text)
            packages, modified = packages_of(advisory), advisory["modified"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SourceError("advisories in the form of OSV", f"{name}: {error!r}", _WHERE) from error
        count, newest = count + 1, max(newest, modified)
        if "withdrawn" not in advisory and any(it in wanted for it in packages):
            found.append(advisory)
    if not count:
        raise SourceError("a database of advisories", f"no advisory in {path}", _WHERE)
    return Database(found, count, newest)


def _texts(path: Path) -> Iterator[tuple[str, bytes]]:
    """Each advisory's file, by its name for messages."""
    if path.is_dir():
        for file in sorted(it for it in path.rglob("*") if it.suffix in {".json", ".zip"}):
            yield from _texts(file)
        return
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if name.endswith(".json"):
                        yield f"{path}/{name}", archive.read(name)
        else:
            yield str(path), path.read_bytes()
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError("a database of advisories", f"{path}: {error}", _WHERE) from error
