"""The stand-in Ollama as container images, laid out like the official ones, made without any base image.

Like `ollama/ollama`: root, `/bin/ollama serve`, everything under `/usr`, `OLLAMA_HOST` open to all, no
curl. What it needs of an operating system is this machine's: glibc, dash, and two commands of the
launcher. The first release is an index of platforms, as the official ones are; the second a single manifest.
Blobs lie by digest below ROOT/images, from where `lab.upstream_image_registry` pushes them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from lab import upstream_python
from lab import upstream_work as work
from lab.state import machine, write_whole

NAME = "ollama/ollama"  # as Docker Hub has it
OTHER_MACHINE = "0.24.0-arm64"  # an image that says it is of a machine that no lab host is

BLOBS = work.ROOT / "images" / "blobs"
_PREPARED = work.ROOT / "images" / "prepared.json"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LABEL = "org.opencontainers.image"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

# What the launcher and the engine need of a system.
_COMMANDS = ("sh", "dirname", "readlink")
_CODE = ("bin/ollama", "lib/ollama/stand-in.py", "lib/ollama/code")  # of one release alone
_GLIBC = ("c", "m", "dl", "pthread", "rt", "util", "resolv")
_ACCOUNTS = {"passwd": "root:x:0:0:root:/root:/bin/sh\n", "group": "root:x:0:\n"}


@dataclass(frozen=True)
class Manifest:
    """A manifest or an index under a tag, and the blobs and manifests below it."""

    tag: str
    digest: str  # sha256:HEX
    kind: str  # media type
    manifests: tuple[str, ...]  # digests of an index's
    blobs: tuple[str, ...]  # digests of configurations and layers

    @property
    def reference(self) -> str:
        """As an inventory pins the official image."""
        return f"docker.io/{NAME}@{self.digest}"


def prepare(ollamas: Sequence[dict[str, Any]]) -> list[Manifest]:
    """The images of these releases (records of `prepare_ollama`), and one of another architecture."""
    images: list[Manifest] = []
    for release in ollamas:
        layers = [_runtime(release), _release(release)]
        native, foreign = (_image(release["version"], layers, it) for it in ("amd64", "arm64"))
        if not images:
            images += [_index(release["version"], native, foreign), replace(foreign, tag=OTHER_MACHINE)]
        else:
            images.append(native)
    needed = {digest[7:] for it in images for digest in (it.digest, *it.manifests, *it.blobs)}
    for blob in BLOBS.iterdir():
        if blob.name not in needed:
            blob.unlink()
    write_whole(_PREPARED, json.dumps([asdict(it) for it in images]))
    return images


def prepared() -> list[Manifest]:
    """What `prepare` made last."""
    return [Manifest(**it) for it in json.loads(_PREPARED.read_text())]


def _runtime(release: dict[str, Any]) -> dict[str, Any]:
    """The layer that all releases share: a little of a system, and Python with the engine."""

    def fill(tree: Path) -> None:
        for folder in ("usr/bin", "usr/lib64", "etc", "root", "proc", "sys", "dev", "run"):
            (tree / folder).mkdir(parents=True)
        (tree / "tmp").mkdir(mode=0o1777)
        _unpack(release, tree)
        for code in _CODE:
            machine(["rm", "-r", tree / "usr" / code])
        for name in ("bin", "lib", "lib64"):
            (tree / name).symlink_to(f"usr/{name}")
        commands = [Path("/bin") / command for command in _COMMANDS]
        glibc = [path for name in _GLIBC for path in _libraries().glob(f"lib{name}.so.[0-9]*")]
        others = upstream_python.needed_libraries(*commands)
        loader = Path("/lib64").glob("ld-linux*.so.*")
        for folder, paths in {"bin": commands, "lib": glibc, "lib64": loader}.items():
            for path in paths:
                _copy(path, tree / "usr" / folder / path.name)
        for name, path in others.items():
            _copy(path, tree / "usr" / "lib" / name)
        for name, text in _ACCOUNTS.items():
            (tree / "etc" / name).write_text(text)

    # All of a release but its code is of all releases: its record's key says what it is made of.
    key = {it: release["key"][it] for it in ("engine", "python")}
    return _layer("runtime", key | {"glibc": os.confstr("CS_GNU_LIBC_VERSION")}, fill)


def _release(release: dict[str, Any]) -> dict[str, Any]:
    """The layer with what one release has of its own."""

    def fill(tree: Path) -> None:
        with work.workspace() as whole:
            _unpack(release, whole)
            for code in _CODE:
                (tree / "usr" / code).parent.mkdir(parents=True, exist_ok=True)
                shutil.move(whole / "usr" / code, tree / "usr" / code)

    return _layer(release["version"], {"release": release["sha256"]}, fill)


def _layer(name: str, key: dict[str, Any], fill: Callable[[Path], None]) -> dict[str, Any]:
    """The record of a layer: {sha256, size, diff}, `diff` being the digest of the tar unpacked."""
    place = work.ROOT / "images" / f"{name}.tar.gz"

    def make(part: Path) -> dict[str, Any]:
        with work.workspace() as tree:
            fill(tree)
            work.pack(tree, part, "gz")
        with gzip.open(part) as tar:
            return {"diff": hashlib.file_digest(tar, "sha256").hexdigest()}

    key = key | {"code": work.digest_of_code(Path(__file__))}
    record = work.made(f"image-{name}", key, place, make)
    blob = BLOBS / record["sha256"]
    if not blob.exists():
        blob.parent.mkdir(parents=True, exist_ok=True)
        os.link(place, blob)
    return record


def _image(version: str, layers: Sequence[dict[str, Any]], architecture: str) -> Manifest:
    config = {
        "created": "2026-11-22T00:00:00Z",
        "architecture": architecture,
        "os": "linux",
        "config": {
            "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "OLLAMA_HOST=0.0.0.0:11434"],
            "Entrypoint": ["/bin/ollama"],
            "Cmd": ["serve"],
            "ExposedPorts": {"11434/tcp": {}},
            "Labels": {f"{_LABEL}.title": "lab stand-in, not Ollama", f"{_LABEL}.version": version},
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer['diff']}" for layer in layers]},
    }
    described = [_described(_LAYER, layer["sha256"], layer["size"]) for layer in layers]
    own = _write(_CONFIG, config)
    head = {"schemaVersion": 2, "mediaType": MANIFEST}
    manifest = _write(MANIFEST, head | {"config": own, "layers": described})
    blobs = tuple(str(it["digest"]) for it in (own, *described))
    return Manifest(version, str(manifest["digest"]), MANIFEST, (), blobs)


def _index(version: str, native: Manifest, foreign: Manifest) -> Manifest:
    """One digest for both machines, of which a host takes its own."""
    images = {"amd64": native, "arm64": foreign}
    listed = [
        _described(MANIFEST, it.digest[7:], (BLOBS / it.digest[7:]).stat().st_size)
        | {"platform": {"architecture": name, "os": "linux"}}
        for name, it in images.items()
    ]
    index = _write(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": listed})
    blobs = tuple(dict.fromkeys(digest for it in images.values() for digest in it.blobs))
    return Manifest(version, str(index["digest"]), INDEX, tuple(it.digest for it in images.values()), blobs)


def _write(kind: str, value: dict[str, Any]) -> dict[str, Any]:
    """Write a JSON blob and return its descriptor."""
    text = json.dumps(value, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    write_whole(BLOBS / digest, text)
    return _described(kind, digest, len(text.encode()))


def _described(kind: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": size}


def _unpack(release: dict[str, Any], tree: Path) -> None:
    (tree / "usr").mkdir(exist_ok=True)
    machine(["tar", "--zstd", "-xf", release["file"], "-C", tree / "usr"])


def _libraries() -> Path:
    """The folder of this machine's C library."""
    (line,) = (it for it in machine(["ldd", "/bin/sh"]).splitlines() if "libc.so.6 => " in it)
    return Path(line.split(" => ")[1].split(" (")[0]).parent


def _copy(path: Path, target: Path) -> None:
    shutil.copyfile(path.resolve(), target)
    target.chmod(0o755)
