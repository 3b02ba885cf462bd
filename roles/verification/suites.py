"""Venom's own suites for after a deployment, as far as they can be run from here: `--data suites=yes`.

They come out of the source that the host serves, into a folder that goes away again, and get what they
import from an environment of uv's that is made for them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pyinfra.context import host
from uv import find_uv_bin

from engine.archive import Archive
from roles.verification.acceptance import Check, Evidence
from roles.verification.attempt import NotSo, Skip, attempt, skipped
from roles.verification.tunnel import tunnel
from schemas.model import HostPlan

PERF = "tests/perf/"
PIPELINE, LOAD = f"{PERF}test_chat_pipeline.py", f"{PERF}locustfile.py"
LATENCY = "web-next/tests/perf/chat-latency.spec.ts"

TOOLS = ("pytest==8.4.2", "pytest-asyncio==1.2.0", "httpx==0.28.1")
_PATIENCE = 300

# What is not run: its name, its title, why.
_LEFT_OUT = (
    (
        "load",
        f"Venom's own load test ({LOAD})",
        "that of v1.9.0 fails with today's Locust, and floods the host",
    ),
    (
        "ui",
        "Venom's own lint and end-to-end tests of the UI",
        f"they need Node and 880 MB of the UI's development packages; ui.chat tries what {LATENCY} does",
    ),
)


def checks(plan: HostPlan, archive: Archive | None) -> list[Check]:
    """All of them. They ask the backend behind the door: before anything else they want its /healthz."""
    title, expected = f"Venom's own {PIPELINE}", "all of it passes"
    run = partial(_run, plan, archive)
    return [
        attempt("suites.chat-pipeline", title, expected, run, patience=_PATIENCE),
        *(skipped(f"suites.{name}", title, expected, why) for name, title, why in _LEFT_OUT),
    ]


def _run(plan: HostPlan, archive: Archive | None) -> tuple[str, Sequence[Evidence]]:
    if plan.model is None:
        raise Skip("there is no local model, and no cloud API is used")
    if archive is None:
        raise Skip("the source is in the image")
    with tempfile.TemporaryDirectory() as name, tunnel(host, plan.backend.port) as port:
        folder = Path(name)
        if not _unpack(archive, folder):
            raise Skip("this source has none")
        done = _pytest(folder, f"http://127.0.0.1:{port}")
    shown = Evidence("text", f"Output of {PIPELINE}", f"{done.stdout}\n{done.stderr}".strip()[-4000:])
    last = next((it for it in reversed(done.stdout.splitlines()) if it.strip()), "nothing")
    if done.returncode != 0:
        raise NotSo(f"status {done.returncode}: {last}", shown)
    return last, (shown,)


def _unpack(archive: Archive, folder: Path) -> bool:
    """Put the suite and what lies beside it into the folder; False where the source does not have it."""
    with tarfile.open(archive.path) as tar:
        members = [it for it in tar.getmembers() if it.name.startswith(PERF) and it.isfile()]
        tar.extractall(folder, members, filter="data")
    return any(it.name == PIPELINE for it in members)


def _pytest(folder: Path, base: str) -> subprocess.CompletedProcess[str]:
    uv = [find_uv_bin(), "run", "--quiet", "--no-project", "--isolated", "--python", sys.executable]
    needs = [word for it in TOOLS for word in ("--with", it)]
    # Not its own settings: they ask for plugins of the whole test suite.
    line = ["python", "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", str(folder)]
    return subprocess.run(
        [*uv, *needs, *line, "-p", "no:cacheprovider", "-W", "ignore", PIPELINE],
        cwd=folder,
        env={**os.environ, "VENOM_API_BASE": base},
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE,
    )
