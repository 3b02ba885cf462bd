"""The Python modules of a source: from a folder, a commit of a git repository, or a packed archive."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO

# What is read: Python, and the files that say which packages it wants.
_WANTED = re.compile(r".*\.py|[^/]*(requirements|constraints)[^/]*\.txt")
# What lies in a working tree and is imported by nobody. Dot-folders are left out, too.
_NOT_SOURCE = {"node_modules", "__pycache__", "web-next", "venv"}


class SourceError(Exception):
    """A source or an environment that cannot be read: what was wanted, what was found, what to do."""

    def __init__(self, required: str, found: str, remedy: str) -> None:
        self.required, self.found, self.remedy = required, found, remedy
        super().__init__(f"required  {required}\nfound     {found}\ndo        {remedy}")


@dataclass(frozen=True)
class Tree:
    """Text by path, relative to the folder from which the application is imported."""

    files: Mapping[str, bytes]
    name: str  # what messages call it

    @cached_property
    def modules(self) -> dict[str, str]:
        """Module name → path. A package is its `__init__.py`, and goes before a module of its name."""
        found = {}
        # v1.9.0 has core/orchestrator.py beside core/orchestrator/: nobody can import the former.
        for path in sorted(self.files, key=lambda it: it.endswith("/__init__.py")):
            parts = PurePosixPath(path).with_suffix("").parts
            if path.endswith(".py") and all(part.isidentifier() for part in parts):
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
        return found

    @cached_property
    def folders(self) -> frozenset[str]:
        """Packages without an `__init__.py`: folders that hold modules, directly or not."""
        parents = {
            name.rsplit(".", depth)[0] for name in self.modules for depth in range(1, name.count(".") + 1)
        }
        return frozenset(parents - self.modules.keys())

    def is_package(self, module: str) -> bool:
        """Whether modules may lie below it."""
        return module in self.folders or self.modules.get(module, "").endswith("__init__.py")


def of_folder(folder: Path) -> Tree:
    """The tree that lies in `folder`, as it stands there."""
    if not folder.is_dir():
        raise SourceError(
            "a folder with Venom's source",
            f"no folder {folder}",
            "name one, or a git repository and --release",
        )
    paths = (path.relative_to(folder) for path in (*folder.rglob("*.py"), *folder.glob("*.txt")))
    wanted = [path for path in paths if _WANTED.fullmatch(str(path)) and not _is_made(path.parts)]
    return Tree({str(path): (folder / path).read_bytes() for path in sorted(wanted)}, str(folder))


def of_commit(repository: Path, commit: str) -> Tree:
    """The tree of a commit, a tag or a branch."""
    command = ["git", "-c", "safe.directory=*", "-C", str(repository), "archive", "--format=tar", commit]
    done = subprocess.run(command, check=False, capture_output=True)
    if done.returncode != 0:
        errors = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise SourceError(
            f"{commit} in the git repository {repository}",
            errors[-1] if errors else "no message",
            "fetch it there (git fetch --tags), or name another",
        )
    return of_tar(io.BytesIO(done.stdout), f"{commit} of {repository}")


def of_tar(file: IO[bytes], name: str) -> Tree:
    """The tree in a tar file, packed or not."""
    files = {}
    with tarfile.open(fileobj=file) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if member.isfile() and _WANTED.fullmatch(str(path)) and not _is_made(path.parts):
                content = tar.extractfile(member)
                files[str(path)] = content.read() if content else b""
    return Tree(dict(sorted(files.items())), name)


def _is_made(parts: tuple[str, ...]) -> bool:
    return any(part in _NOT_SOURCE or part.startswith(".") for part in parts)
