"""The lab's upstream as a process: prepared, then serving on the bridge until it is stopped."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import sys
import time
from pathlib import Path

from lab import network, upstream_image_registry
from lab.processes import Background
from lab.state import REPOSITORY, STATE, LabError, locked, tail

PORTS = (8080, 5000, 5002)  # release files over HTTP; the Ollama registry; images, with faults
PINS = STATE / "pins.yaml"

_PROCESS = Background(STATE / "run" / "upstream.json", STATE / "run" / "upstream.log")
_SERVING_SECONDS = 30.0


def ensure() -> None:
    """Have the artifacts built and served; an upstream that runs on other code is started anew."""
    network.ensure()
    with locked("upstream"):
        prepare = subprocess.run(
            [sys.executable, "-m", "lab.upstream", "prepare"], cwd=REPOSITORY, check=False
        )
        if prepare.returncode != 0:
            raise LabError(f"the lab's upstream could not be prepared (exit {prepare.returncode})")
        upstream_image_registry.ensure()
        code = _code()
        if _PROCESS.pid is not None and _PROCESS.note == code:
            return
        _PROCESS.stop()
        _PROCESS.start([sys.executable, "-m", "lab.upstream", "serve"], cwd=REPOSITORY, note=code)
        _wait_serving()


def stop() -> None:
    """End the upstream if it runs, and the registry of images."""
    with locked("upstream"):
        _PROCESS.stop()
        upstream_image_registry.stop()


def _wait_serving() -> None:
    deadline = time.monotonic() + _SERVING_SECONDS
    waiting = list(PORTS)
    while waiting:
        try:
            socket.create_connection((network.GATEWAY, waiting[0]), timeout=1).close()
            waiting.pop(0)
        except OSError as error:
            if _PROCESS.pid is None or time.monotonic() > deadline:
                where = f"{network.GATEWAY}:{waiting[0]}"
                raise LabError(
                    f"the lab's upstream does not serve on {where}: {error}\n{tail(_PROCESS.log)}"
                ) from None
            time.sleep(0.1)


def _code() -> str:
    """The digest of the Python that serves, so that nobody tests against yesterday's upstream."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("upstream*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]
