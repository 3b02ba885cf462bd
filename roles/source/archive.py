"""Packing Venom's source on the controller, so that a host needs no way to any git server.

The archive of a commit, and of an unchanged tree, is the same bytes every time: its digest names it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import subprocess
import tarfile
import tempfile
from pathlib import Path

from engine import controller
from engine.archive import Archive
from engine.refusal import refuse
from schemas.model import Source

# What a working tree holds that is made, not written.
NOT_SOURCE = {".git", "node_modules", ".next", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache"}


def pack(source: Source, *, offline: bool = False) -> Archive:
    """The archive of `source`, packed once a run for the whole fleet.

    Raises RefusedError where the git server, the repository or the commit cannot be had. `offline`: no
    git server is asked, so what was never fetched here cannot be had, either.
    """
    return controller.once(("source", source), lambda: _pack(source, offline))


def _pack(source: Source, offline: bool) -> Archive:
    if source.kind == "tree":
        return _store(_tar_of_tree(Path(source.location)))
    cached = controller.cache_directory("sources") / f"{source.commit}.tar.gz"
    if offline and source.kind == "git" and not cached.exists():
        raise refuse(
            f"commit {source.commit[:12]} of {source.location} in this machine's cache",
            "it was never fetched here",
            "pyinfra --dry … deploy/venom.py fetches it",
        )
    if not cached.exists():
        tar = _tar_of_commit(_repository(source), source.commit)
        return _store(tar, cached)
    return Archive.at(cached)


def _repository(source: Source) -> Path:
    """A local repository that holds the commit, fetched from the git server if need be."""
    if source.kind == "repository":
        return Path(source.location)
    name = hashlib.sha256(source.location.encode()).hexdigest()[:16]
    clone = controller.cache_directory("git") / f"{name}.git"
    requirement = f"commit {source.commit[:12]} of {source.location}"
    remedy = "check the URL and the network, or name a local `repository:` or `tree:` instead"
    if not (clone / "HEAD").exists():
        controller.run(["git", "init", "--quiet", "--bare", str(clone)], requirement, remedy)
    controller.run(
        ["git", "-C", str(clone), "fetch", "--quiet", "--depth=1", source.location, source.commit],
        requirement,
        remedy,
        env={"GIT_TERMINAL_PROMPT": "0"},
    )
    return clone


def _tar_of_commit(repository: Path, commit: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        tar = Path(folder) / "source.tar"
        controller.run(
            # The operator names the repository: that it belongs to somebody else is no surprise.
            ["git", "-c", "safe.directory=*", "-C", str(repository)]
            + ["archive", "--format=tar", f"--output={tar}", commit],
            f"commit {commit[:12]} in {repository}",
            "fetch it there (git fetch --tags), or name another commit",
        )
        return tar.read_bytes()


def _tar_of_tree(tree: Path) -> bytes:
    files = sorted(_files(tree))
    if not files:
        raise refuse(f"a Venom tree in {tree}", "no files", "name the folder that has venom_core/")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in files:
            entry = tar.gettarinfo(path, arcname=str(path.relative_to(tree)))
            # Owner and time are the tree's accidents, not its content.
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = "root"
            entry.mode = 0o755 if entry.mode & 0o100 else 0o644
            if path.is_symlink():
                tar.addfile(entry)
            else:
                with path.open("rb") as file:
                    tar.addfile(entry, file)
    return buffer.getvalue()


def _files(tree: Path) -> list[Path]:
    """The tree's files, as git would list them where it is a working tree: nothing that is ignored."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", str(tree), "ls-files", "-z"]
        + ["--cached", "--others", "--exclude-standard"],
        check=False,
        capture_output=True,
    )
    if listed.returncode == 0:
        names = [os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
        found = [tree / name for name in dict.fromkeys(names)]
    else:
        found = list(tree.rglob("*"))
    return [path for path in found if _is_source(path.relative_to(tree)) and _is_file(path)]


def _is_source(path: Path) -> bool:
    made = any(part in NOT_SOURCE for part in path.parts)
    # A developer's own settings: they may hold keys, and no host needs them.
    settings = path.name.startswith(".env") and not path.name.endswith(".example")
    return not made and not settings


def _is_file(path: Path) -> bool:
    return path.is_symlink() or path.is_file()


def _store(tar: bytes, cached: Path | None = None) -> Archive:
    if cached is None:
        digest = hashlib.sha256(tar).hexdigest()
        cached = controller.cache_directory("sources") / f"tree-{digest[:16]}.tar.gz"
    if not cached.exists():
        part = cached.with_name(f"{cached.name}.{os.getpid()}.part")
        part.write_bytes(gzip.compress(tar, compresslevel=6, mtime=0))
        part.rename(cached)
    return Archive.at(cached)
