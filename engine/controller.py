"""What the controller does once for a whole fleet: its cache, and tools whose failure is a finding."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from engine.refusal import RefusedError, refuse

T = TypeVar("T")

_once: dict[tuple[object, ...], object] = {}
_locks: dict[tuple[object, ...], threading.Lock] = {}
_guard = threading.Lock()


def cache_directory(name: str) -> Path:
    """A folder of the controller's cache; what is in it can be made again at any time.

    Raises RefusedError where it can be neither found nor made.
    """
    path = _cache() / name
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refuse(
            "a folder for what this machine downloads and builds",
            f"{path}: {error.strerror}",
            "let XDG_CACHE_HOME name one that you can write",
        ) from error
    return path


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "venom-provisioner"


@dataclass(frozen=True)
class Kept:
    """Keys that outlive the run, as empty files of the cache; where none can be written, none do."""

    folder: str

    def __contains__(self, key: str) -> bool:
        return os.path.exists(_cache() / self.folder / key)  # noqa: PTH110 (what may not be looked at is no error)

    def add(self, key: str) -> None:
        """Keep one."""
        with suppress(OSError, RefusedError):
            (cache_directory(self.folder) / key).touch()


def once(key: tuple[object, ...], make: Callable[[], T]) -> T:
    """The result of `make` for `key`, made by the first host that asks; a refusal is shared, too.

    pyinfra prepares the hosts of a fleet at the same time, each in its own greenlet.
    """
    with _guard:
        lock = _locks.setdefault(key, threading.Lock())
    with lock:
        if key not in _once:
            try:
                _once[key] = make()
            except RefusedError as error:
                _once[key] = error
        result = _once[key]
    if isinstance(result, RefusedError):
        raise result
    return result  # type: ignore[return-value]


def run(
    command: Sequence[str],
    requirement: str,
    remedy: str,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Run a tool on the controller and return what it printed.

    Raises RefusedError with the end of its error output when it fails.
    """
    try:
        done = subprocess.run(
            list(command),
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            cwd=cwd,
            env={**os.environ, **(env or {})},
        )
    except OSError as error:
        raise refuse(requirement, f"{command[0]}: {error.strerror}", remedy) from error
    if done.returncode != 0:
        output = (done.stderr or done.stdout).strip().splitlines()
        raise refuse(requirement, "\n          ".join(output[-20:]) or "no message", remedy)
    return done.stdout
