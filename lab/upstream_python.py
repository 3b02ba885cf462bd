"""The Python that hosts get: python-build-standalone's own build, else one made from this machine's.

The pinned build is tried first: a machine with Internet serves the genuine file under its own pin.
Elsewhere a Python 3.12 of this machine (pyenv's, uv's, or on PATH) is made relocatable in the same
layout: `python/bin`, `python/lib`, every library that is not glibc's beside it, found by paths relative
to the binary. It differs in its patch version, and in needing this machine's glibc or a newer one.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any
from urllib.parse import unquote

from lab import upstream_work as work
from lab.state import LabError, machine

MINOR = "3.12"

# glibc's own libraries must be the host's; libresolv and the like belong to it.
_GLIBC = re.compile(r"(lib(c|m|pthread|dl|rt|util|resolv|anl)\.so|ld-linux|linux-vdso)")
# Tests, and what needs a screen or Sun's NIS.
_LEFT_OUT = ("test", "idlelib", "turtledemo", "tkinter", "site-packages", "__pycache__")
_MODULES_LEFT_OUT = ("_tkinter*", "nis*", "_test*", "_ctypes_test*", "xxlimited*")
_GENUINE_SECONDS = 5.0
_KEY_CODE = work.digest_of_code(Path(__file__))


def prepare(url: str, sha256: str) -> dict[str, Any]:
    """The record of the Python archive: {version, url, sha256, size}."""
    genuine = _place(url)
    if not genuine.exists() and not _made_before() and not _fetch(url, genuine, sha256):
        print(
            "upstream: python-build-standalone cannot be fetched; this machine's Python instead", flush=True
        )
    if genuine.exists():
        version = unquote(url).rsplit("/cpython-", 1)[1].split("+")[0]
        return {"version": version, "url": url, "sha256": sha256, "size": genuine.stat().st_size}
    prefix = find_python()
    version = machine([prefix / "bin" / f"python{MINOR}", "-V"]).split()[1]
    own_url = re.sub(r"cpython-[0-9.]+%2B", f"cpython-{version}%2B", url)
    key = {"python": str(prefix), "version": version, "code": _KEY_CODE}

    def make(part: Path) -> dict[str, Any]:
        with work.workspace() as tree:
            relocate(prefix, tree / "python")
            work.pack(tree, part, "gz")
        return {"version": version, "url": own_url}

    return work.made(f"python-{version}", key, _place(own_url), make)


def unpack(url: str, target: Path) -> None:
    """Unpack the served archive of this URL: `target/python`."""
    with tarfile.open(_place(url)) as tar:
        tar.extractall(target, filter="tar")


def find_python() -> Path:
    """The prefix of a Python 3.12 of this machine; `LabError` with a remedy if there is none."""
    for command in _candidates():
        with suppress(OSError, subprocess.SubprocessError):
            code = "import sys; print(sys.base_prefix, '%d.%d' % sys.version_info[:2])"
            done = subprocess.run(
                [command, "-c", code], capture_output=True, text=True, check=True, timeout=30
            )
            prefix, minor = done.stdout.split()
            if minor == MINOR and (Path(prefix) / "lib" / f"python{MINOR}" / "os.py").exists():
                return Path(prefix)
    raise LabError(
        f"no Python {MINOR} here, and python-build-standalone's cannot be fetched: "
        f"put a python{MINOR} on PATH (pyenv install {MINOR}, or uv python install {MINOR})"
    )


def relocate(prefix: Path, target: Path) -> None:
    """Copy a Python so that it runs wherever it is unpacked."""
    library = f"python{MINOR}"
    shutil.copytree(
        prefix / "lib" / library,
        target / "lib" / library,
        ignore=shutil.ignore_patterns(*_LEFT_OUT, *_MODULES_LEFT_OUT, "config-3*"),
    )
    (target / "lib" / library / "site-packages").mkdir()
    shutil.copytree(prefix / "include" / library, target / "include" / library)
    (target / "bin").mkdir()
    shutil.copy2(prefix / "bin" / library, target / "bin" / library)
    for alias in ("python3", "python"):
        (target / "bin" / alias).symlink_to(library)
    _copy_libraries(target)
    _forget_prefix(prefix, target / "lib" / library)
    compile_all(target / "lib" / library)


def compile_all(tree: Path) -> None:
    """Leave byte code beside the sources that needs no writing and no time stamps."""
    mode = PycInvalidationMode.UNCHECKED_HASH
    interpreter = find_python() / "bin" / f"python{MINOR}"
    code = (
        "import compileall, py_compile, sys; compileall.compile_dir(sys.argv[1], quiet=2, force=True,"
        f" stripdir=sys.argv[1], invalidation_mode=py_compile.PycInvalidationMode.{mode.name})"
    )
    machine([interpreter, "-c", code, tree])


def needed_libraries(*files: Path) -> dict[str, Path]:
    """Every library that these files need, directly or not, except glibc's: soname → file."""
    found: dict[str, Path] = {}
    for file in files:
        for line in machine(["ldd", file]).splitlines():
            name, arrow, rest = line.strip().partition(" => ")
            if not arrow or _GLIBC.match(Path(name.split()[0]).name):
                continue
            path = rest.split(" (")[0]
            if not path.startswith("/"):
                raise LabError(f"{file} needs {name}, which this machine lacks")
            found[name] = Path(path).resolve()
    return found


def _made_before() -> bool:
    """Whether a Python of this machine is served already: then upstream is not asked again."""
    return any((work.ROOT / "records").glob("python-*.json"))


def _candidates() -> Iterator[str]:
    with suppress(OSError, subprocess.SubprocessError):
        root = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=True)
        versions = Path(root.stdout.strip()) / "versions"
        yield from (str(found) for found in sorted(versions.glob(f"{MINOR}.*/bin/python{MINOR}")))
    if found := shutil.which(f"python{MINOR}"):
        yield found
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            ["uv", "python", "find", "--no-python-downloads", MINOR],
            capture_output=True,
            text=True,
            check=True,
        )
        yield done.stdout.strip()


def _copy_libraries(target: Path) -> None:
    """Put every needed library into `lib`, and let each file look there, relative to itself."""
    lib = target / "lib"
    modules = sorted((lib / f"python{MINOR}" / "lib-dynload").glob("*.so"))
    binary = target / "bin" / f"python{MINOR}"
    for name, path in needed_libraries(binary, *modules).items():
        shutil.copyfile(path, lib / name)
        (lib / name).chmod(0o755)
    libraries = sorted(lib.glob("*.so*"))
    for file in [binary, *modules, *libraries]:
        strip(file)
        up = {binary.parent: "$ORIGIN/../lib", lib: "$ORIGIN"}.get(file.parent, "$ORIGIN/../..")
        machine(["patchelf", "--set-rpath", up, file])


def strip(file: Path) -> None:
    """Drop debugging symbols, where the machine has the tool for it."""
    if tool := shutil.which("strip"):
        file.chmod(file.stat().st_mode | 0o200)
        machine([tool, "--strip-unneeded", file])


def _forget_prefix(prefix: Path, library: Path) -> None:
    """Name `/install`, as python-build-standalone does, where the build configuration names us."""
    for path in library.glob("_sysconfigdata*.py"):
        path.write_text(path.read_text().replace(str(prefix), "/install"))


def _place(url: str) -> Path:
    return work.FILES / unquote(url.split("://", 1)[1])


def _fetch(url: str, path: Path, sha256: str) -> bool:
    """Fetch the genuine file; False where it cannot be had."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        with urllib.request.urlopen(url, timeout=_GENUINE_SECONDS) as answer, part.open("wb") as to:
            shutil.copyfileobj(answer, to)
    except OSError:
        part.unlink(missing_ok=True)
        return False
    if work.digest_of(part) != sha256:
        part.unlink()
        return False
    part.replace(path)
    return True
