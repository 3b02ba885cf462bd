"""The application: `venom_core.main:app`."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

import git  # needs the git binary at import, as the real one does
import PIL  # in no requirements tier but full, as with the real one
import pymeta
from fastapi import Depends, FastAPI, HTTPException, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from venom_core import onnx, startup
from venom_core.config import SETTINGS
from venom_core.env_panel import PANEL
from venom_core.tasks import Task, TaskRequest, Tasks

# A syntax of Python 3.12: an older interpreter installs everything and starts nothing.
type Payload = dict[str, Any]

VERSION = "1.9.0"

_LOCAL = ("127.0.0.1", "::1", "localhost")
_SERVERS = {"light": ("ollama",), "llm_off": (), "full": ("ollama", "vllm")}

started = time.monotonic()
tasks = Tasks(Path(SETTINGS.MEMORY_ROOT))


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Start up; the model is warmed while the first requests are answered already."""
    startup.make_directories()
    startup.delete_old_memories()
    tasks.load()
    await startup.settle_model()
    warming = asyncio.create_task(startup.warm_up())
    yield
    warming.cancel()


app = FastAPI(title="Venom (small, of the lab)", version=VERSION, lifespan=lifespan)


@app.get("/healthz")
async def healthz() -> Payload:
    """Whether the backend lives; it says nothing about the model."""
    return {"status": "ok", "component": "venom-core"}


@app.post("/api/v1/tasks", status_code=201)
async def create_task(request: TaskRequest) -> Payload:
    """Start a task."""
    task = tasks.submit(request)
    return {"task_id": str(task.id), "status": task.status, "llm_model": SETTINGS.LLM_MODEL_NAME}


@app.get("/api/v1/tasks")
async def all_tasks() -> list[Task]:
    """Every task."""
    return tasks.all()


@app.get("/api/v1/tasks/{task_id}")
async def get_task(task_id: UUID) -> Task:
    """One task."""
    if (task := tasks.get(task_id)) is None:
        raise HTTPException(404, f"There is no task {task_id}")
    return task


@app.get("/api/v1/tasks/{task_id}/stream")
async def stream_task(task_id: UUID) -> StreamingResponse:
    """The events of one task."""
    if tasks.get(task_id) is None:
        raise HTTPException(404, f"There is no task {task_id}")
    return StreamingResponse(tasks.events(task_id), media_type="text/event-stream")


@app.get("/api/v1/system/llm-runtime/active")
async def active_runtime() -> Payload:
    """The model server in use. With none it still says ollama, and calls that drift: as the real one does."""
    active = SETTINGS.ACTIVE_LLM_SERVER.lower()
    provider = SETTINGS.LLM_SERVICE_TYPE if SETTINGS.LLM_SERVICE_TYPE != "local" else "ollama"
    parts = urlsplit(SETTINGS.endpoint)
    drift = SETTINGS.LLM_SERVICE_TYPE == "local" and active != provider
    return {
        "status": "success",
        "runtime": {
            "provider": provider,
            "model": SETTINGS.LLM_MODEL_NAME,
            "endpoint": SETTINGS.endpoint,
            "endpoint_host": parts.hostname,
            "endpoint_port": parts.port,
            "service_type": SETTINGS.LLM_SERVICE_TYPE,
            "mode": SETTINGS.AI_MODE,
        },
        "drift": {"drift_detected": drift, "active_server": active, "inferred_provider": provider},
    }


class RuntimeSwitch(BaseModel):
    """The body of POST /api/v1/system/llm-runtime/active."""

    provider: str


@app.post("/api/v1/system/llm-runtime/active")
async def switch_runtime(switch: RuntimeSwitch) -> Payload:
    """Let ONNX answer from now on: in this process, and by the env file in the next one."""
    if switch.provider != "onnx" or not onnx.status()["ready"]:
        raise HTTPException(400, f"{switch.provider} is not ready")
    SETTINGS.ACTIVE_LLM_SERVER = SETTINGS.LLM_SERVICE_TYPE = "onnx"
    PANEL.update({"ACTIVE_LLM_SERVER": "onnx", "LLM_SERVICE_TYPE": "onnx"})
    return {"status": "success", "active_server": "onnx"}


@app.get("/api/v1/system/llm-servers")
async def llm_servers() -> Payload:
    """The model servers that the profile allows and PATH has."""
    allowed = _SERVERS.get(SETTINGS.VENOM_RUNTIME_PROFILE, ())
    servers: list[Payload] = [
        {"name": name, "display_name": name.title()} for name in allowed if shutil.which(name)
    ]
    if SETTINGS.VENOM_RUNTIME_PROFILE == "full" and SETTINGS.ONNX_LLM_ENABLED and onnx.installed():
        state = onnx.status()
        servers.append({"name": "onnx", "display_name": "ONNX Runtime", "error_message": None, "onnx": state})
    return {"status": "success", "servers": servers, "count": len(servers)}


@app.get("/api/v1/system/status")
async def system_status() -> Payload:
    """What the cockpit shows of the backend."""
    return {
        "version": VERSION,
        "profile": SETTINGS.VENOM_RUNTIME_PROFILE,
        "uptime_seconds": round(time.monotonic() - started, 1),
        "libraries": {"pillow": PIL.__version__, "git": git.__version__, "pymeta": pymeta.__name__},
    }


class ConfigUpdate(BaseModel):
    """The body of POST /api/v1/config/runtime."""

    updates: dict[str, str]


class ConfigRestore(BaseModel):
    """The body of POST /api/v1/config/restore."""

    backup_filename: str


def local_only(request: Request) -> None:
    """403 for a peer that is not local. The peer is what uvicorn resolved from X-Forwarded-For."""
    peer = request.client.host if request.client else "unknown"
    if peer not in _LOCAL:
        raise HTTPException(403, f"{peer}: for localhost only")


Local = Annotated[None, Depends(local_only)]


@app.get("/api/v1/config/runtime")
async def read_config() -> Payload:
    """The env file, secrets masked."""
    return {"status": "success", "config": PANEL.masked()}


@app.post("/api/v1/config/runtime")
async def update_config(update: ConfigUpdate, _: Local) -> Payload:
    """Change keys of the env file; they hold from the next start."""
    changed, copy = PANEL.update(update.updates)
    return {"status": "success", "updated_keys": changed, "backup_path": str(copy or "")}


@app.get("/api/v1/config/backups")
async def config_backups(_: Local) -> Payload:
    """The copies of the env file."""
    return {"status": "success", "backups": PANEL.copies()}


@app.post("/api/v1/config/restore")
async def restore_config(restore: ConfigRestore, _: Local) -> Payload:
    """Put a copy of the env file back."""
    if not PANEL.restore(restore.backup_filename):
        raise HTTPException(404, f"There is no copy {restore.backup_filename}")
    return {"status": "success"}


@app.websocket("/ws/events")
async def events(socket: WebSocket) -> None:
    """Telemetry: a greeting at once, then whatever the client says is read and dropped."""
    await socket.accept()
    greeting = {"type": "SYSTEM_LOG", "message": "Connected", "timestamp": datetime.now(UTC).isoformat()}
    await socket.send_json(greeting)
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        return
