"""What the backend does once at start-up, the parts included that an installation must be ready for."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from pathlib import Path

import httpx

from venom_core import llm
from venom_core.config import SETTINGS
from venom_core.env_panel import PANEL

log = logging.getLogger("uvicorn.error")

_RETENTION_SECONDS = 7 * 86400
_COMMAND_SECONDS = 5.0


def make_directories() -> None:
    """Create what the backend writes into, in the working directory."""
    for name in ("logs", "data", ".venom_runtime", SETTINGS.MEMORY_ROOT, SETTINGS.WORKSPACE_ROOT):
        Path(name).mkdir(parents=True, exist_ok=True)


def delete_old_memories() -> None:
    """Delete files of the memory that are older than seven days by their time stamp."""
    for path in Path(SETTINGS.MEMORY_ROOT).rglob("*"):
        if path.is_file() and path.stat().st_mtime < time.time() - _RETENTION_SECONDS:
            log.warning("retention: deleting %s", path)
            path.unlink()


async def settle_model() -> None:
    """Make the settings name a model that Ollama has: if they do not, the env file is rewritten."""
    if SETTINGS.ACTIVE_LLM_SERVER.lower() != "ollama":
        return
    models = await llm.available()
    if models is None:
        await _restart_ollama()
        models = await llm.available()
    if not models or SETTINGS.LLM_MODEL_NAME in models:
        return
    chosen = SETTINGS.HYBRID_LOCAL_MODEL if SETTINGS.HYBRID_LOCAL_MODEL in models else models[0]
    log.warning("Ollama has no %s: taking %s", SETTINGS.LLM_MODEL_NAME, chosen)
    fingerprint = hashlib.sha256(f"ollama|{SETTINGS.endpoint}|{chosen}".encode()).hexdigest()[:16]
    PANEL.update(
        {
            "LLM_MODEL_NAME": chosen,
            "HYBRID_LOCAL_MODEL": chosen,
            "LAST_MODEL_OLLAMA": chosen,
            "LLM_CONFIG_HASH": fingerprint,
            "ACTIVE_LLM_SERVER": "ollama",
        }
    )
    SETTINGS.LLM_MODEL_NAME = SETTINGS.HYBRID_LOCAL_MODEL = chosen


async def warm_up() -> None:
    """Load the model before somebody asks."""
    if SETTINGS.LLM_WARMUP_ON_STARTUP and SETTINGS.ACTIVE_LLM_SERVER.lower() == "ollama":
        try:
            await llm.ask([{"role": "user", "content": "Hi"}], max_tokens=1)
        except (llm.NoModel, httpx.HTTPError) as error:
            log.error("warm-up failed: %s", error)


async def _restart_ollama() -> None:
    """Run the stop and start commands, as the real one does when Ollama is away."""
    for command in (SETTINGS.OLLAMA_STOP_COMMAND, SETTINGS.OLLAMA_START_COMMAND):
        log.error("Ollama does not answer: running %r", command)
        process = await asyncio.create_subprocess_shell(
            command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await asyncio.wait_for(process.wait(), _COMMAND_SECONDS)
        except TimeoutError:
            process.kill()
