"""An acceptance as real runs leave it: three hosts, failures, figures of three releases and two profiles."""

from __future__ import annotations

import struct
import zlib

from roles.verification import metrics
from roles.verification.acceptance import (
    FAILED,
    PASSED,
    SKIPPED,
    UNREACHED,
    Acceptance,
    Check,
    Evidence,
    HostAcceptance,
    Item,
    Measured,
)

JOURNAL = """\
2026-11-22 03:08:41.220 | ERROR    | venom_core.execution.model_router:route:214 - Ollama: 503 server busy
2026-11-22 03:08:41.871 | WARNING  | venom_core.utils.retry:wrapper:61 - attempt 2 of 2 in 0.35 s
2026-11-22 03:08:55.034 | ERROR    | venom_core.core.orchestrator:run:488 - task 5f0c9d1e gave up after 30.1 s
"""

_BASE = {
    "chat_seconds": 8.4,
    "ui_chat_seconds": 9.9,
    "all_ready_seconds": 11.8,
    "backend_ready_seconds": 8.1,
    "ui_ready_seconds": 1.7,
    "ollama_ready_seconds": 0.6,
    "model_load_seconds": 2.9,
    "memory_mib": 812.0,
    "backend_memory_mib": 318.0,
    "ui_memory_mib": 96.0,
    "ollama_memory_mib": 398.0,
    "model_mib": 259.1,
    "disk_gib": 1.62,
    "source_mib": 28.1,
    "environment_mib": 722.0,
    "ui_mib": 92.0,
    "node_mib": 139.0,
    "python_mib": 46.8,
    "ollama_mib": 72.0,
    "weights_mib": 241.4,
    "data_mib": 3.2,
    "run_seconds": 162.4,
    "backend_branch_seconds": 78.1,
    "ui_branch_seconds": 136.0,
    "ollama_branch_seconds": 1.1,
    "weights_branch_seconds": 2.2,
    "download_mib": 771.0,
}


def _figures(**other: float) -> dict[str, float]:
    return {**_BASE, **other}


def _without_model() -> dict[str, float]:
    others = {name: it for name, it in _BASE.items() if not name.startswith(("ollama", "model", "weights"))}
    return {**others, "memory_mib": 398.0, "disk_gib": 1.33, "all_ready_seconds": 8.3, "run_seconds": 71.0}


HISTORY = (
    Measured(
        "2026-09-02T10:14:00Z",
        "g11aa",
        "v1.6.0",
        "light",
        _figures(
            chat_seconds=6.2,
            ui_chat_seconds=8.0,
            backend_ready_seconds=5.2,
            all_ready_seconds=8.6,
            memory_mib=671.0,
            backend_memory_mib=222.0,
            ui_memory_mib=119.0,
            ollama_memory_mib=330.0,
            environment_mib=610.0,
            disk_gib=1.31,
        ),
    ),
    Measured(
        "2026-10-01T07:40:00Z",
        "g22bb",
        "v1.7.0",
        "light",
        _figures(
            chat_seconds=7.1, ui_chat_seconds=8.8, memory_mib=768.0, backend_memory_mib=274.0, disk_gib=1.49
        ),
    ),
    Measured("2026-10-20T16:02:00Z", "g33cc", "v1.7.0", "llm_off", _without_model()),
    Measured("2026-11-22T03:10:00Z", "g9f41c2d7e80a", "v1.9.0", "light", _figures(chat_seconds=30.1)),
)

BUDGETS = {"chat_seconds": 25.0, "ui_chat_seconds": 15.0, "memory_mib": 1024.0, "environment_mib": 700.0}

RUN = {
    "at": "2026-11-22T03:04:12Z",
    "by": "ada@desk",
    "seconds": 162.4,
    "branches": {
        "ui": {
            "begun": 1795316501.2,
            "ended": 1795316637.2,
            "seconds": 136.0,
            "received": 161480704,
            "steps": [
                {"step": "Node.js 24.21.0: download", "seconds": 2.4},
                {"step": "Node.js 24.21.0: unpack", "seconds": 6.1},
                {"step": "npm ci", "seconds": 44.0},
                {"step": "fonts", "seconds": 3.8},
                {"step": "build", "seconds": 71.5},
                {"step": "assemble", "seconds": 8.2},
            ],
        },
        "ollama": {
            "begun": 1795316501.9,
            "ended": 1795316503.0,
            "seconds": 1.1,
            "received": 25165824,
            "steps": [
                {"step": "Ollama 0.24.0: download", "seconds": 0.3},
                {"step": "Ollama 0.24.0: unpack", "seconds": 0.8},
            ],
        },
        "backend": {
            "begun": 1795316502.3,
            "ended": 1795316580.4,
            "seconds": 78.1,
            "steps": [
                {"step": "Python 3.12.14: download", "seconds": 0.9},
                {"step": "packages: 148 from the lock", "seconds": 51.2},
                {"step": "compile", "seconds": 10.0},
                {"step": "proof: import the application", "seconds": 16.0},
            ],
        },
        "weights": {
            "begun": 1795316504.0,
            "ended": 1795316506.2,
            "seconds": 2.2,
            "received": 253231104,
            "steps": [{"step": "pull gemma3:270m", "seconds": 2.2}],
        },
        "activate": {
            "begun": 1795316639.4,
            "ended": 1795316651.2,
            "seconds": 11.8,
            "steps": [
                {"step": "start Ollama", "seconds": 0.2},
                {"step": "wait for Ollama", "seconds": 0.6},
                {"step": "wait for Backend, UI", "seconds": 8.1},
                {"step": "load gemma3:270m", "seconds": 2.9},
            ],
        },
    },
}


def png(width: int = 64, height: int = 40) -> bytes:
    """A small real image."""
    rows = b"".join(b"\0" + bytes((90, 120, 160)) * width for _ in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def _checks() -> tuple[Check, ...]:
    return (
        Check(
            "units.running",
            "The units of the profile run, others do not",
            PASSED,
            "ollama, venom-backend, venom-ui active; nothing else of ours",
            "so",
            0.21,
        ),
        Check(
            "backend.health",
            "The backend is healthy",
            PASSED,
            'GET /healthz: 200, {"status": "ok", "component": "venom-core"}',
            "200 after 12 ms",
            0.02,
        ),
        Check(
            "ui.pages",
            "Every page of the UI opens in a browser",
            PASSED,
            "no failed request, no error in the console",
            "9 pages, 214 requests, no error",
            11.3,
            (
                Evidence("screenshot", "Start page", file="gpu1-ui.png"),
                Evidence(
                    "text",
                    "Pages",
                    text="/\n/brain\n/calendar\n/config\n/docs\n/inspector\n/models\n/strategy",
                ),
            ),
        ),
        Check(
            "ui.narrow",
            "The start page fits a telephone",
            PASSED,
            "no wider than the window",
            "390 of 390 px",
            2.1,
            (Evidence("screenshot", "Start page, 390 px wide", file="gpu1-narrow.png"),),
        ),
        Check(
            "door.websocket",
            "The WebSocket opens through the door",
            PASSED,
            "a message at once",
            "SYSTEM_STATUS after 0.03 s",
            0.06,
        ),
        Check(
            "door.sse",
            "Events of a task come as they happen",
            FAILED,
            "task_update … task_finished in 25 s",
            "no task_finished after 30 s; the last event was task_update: PROCESSING",
            30.1,
            (Evidence("journal", "Journal of venom-backend", text=JOURNAL),),
        ),
        Check(
            "ui.chat",
            "A chat in the browser is answered",
            PASSED,
            "an answer within 15 s",
            "“Warsaw is the capital of Poland.” after 9.9 s",
            12.7,
        ),
        Check(
            "model.digest",
            "Ollama has the pinned weights",
            PASSED,
            "gemma3:4b, sha256 a2af6cc3eb7fa8be8504abaf9b04e88f17a119ec3f04a3addf55f92841195f5a",
            "the same",
            0.01,
        ),
        Check("gpu.used", "The model lies in VRAM", SKIPPED, "at least 90 % of it", "the host has no card"),
        Check(
            "onnx.absent",
            "ONNX is not imported in light",
            PASSED,
            "no onnxruntime in the process",
            "none",
            0.4,
        ),
    )


def acceptance() -> Acceptance:
    """The whole of it."""
    now, earlier = HISTORY[-1], metrics.before(HISTORY, HISTORY[-1].generation, HISTORY[-1].profile)
    first = HostAcceptance(
        name="gpu1",
        address="192.0.2.11",
        result=FAILED,
        generation=now.generation,
        release="v1.9.0",
        profile="light",
        vram_tier="low-vram-8-12gb",
        serves="Venom v1.9.0 (62ce167a1ff8), profile light, gemma3:4b",
        checks=(*_checks(), *metrics.budget_checks(now.metrics, earlier, BUDGETS)),
        checklist=(
            Item(
                "Production start works and names the links to backend and UI",
                PASSED,
                ("units.running", "ui.pages"),
            ),
            Item("The proxy sends /api and /ws to FastAPI and the rest to Next", PASSED, ("door.websocket",)),
            Item("Chat latency is below its budget (15 s)", PASSED, ("ui.chat", "budget.ui_chat_seconds")),
            Item("The chat pipeline passes under 25 s", FAILED, ("door.sse", "budget.chat_seconds")),
            Item("The end-to-end tests pass on the production build", SKIPPED, ()),
        ),
        run=RUN,
        metrics=metrics.compared(now.metrics, earlier, BUDGETS),
        history=HISTORY,
    )
    passed = tuple(it for it in _checks() if it.result == PASSED and not it.evidence)
    second = HostAcceptance(
        name="front",
        address="192.0.2.13",
        result=PASSED,
        generation="g22bb",
        release="v1.9.0",
        profile="llm_off",
        serves="Venom v1.9.0 (62ce167a1ff8), profile llm_off",
        checks=passed,
        checklist=(Item("Production start works", PASSED, ("units.running",)),),
        run={"at": "2026-11-22T03:02:00Z", "by": "ada@desk", "seconds": 3.1},
        metrics=metrics.compared(_without_model(), None, {}),
    )
    third = HostAcceptance("gpu2", "192.0.2.12", UNREACHED, serves="connection refused")
    return Acceptance("2026-11-22T03:10:00Z", "ada@desk", "inventories/office.yaml", (first, second, third))
