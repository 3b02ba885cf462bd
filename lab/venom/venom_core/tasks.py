"""Tasks: one question each, answered in the background, kept across restarts."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from pydantic import BaseModel, Field

from venom_core import llm
from venom_core.config import SETTINGS

_HEARTBEAT_SECONDS = 2.5
_POLL_SECONDS = 0.05


class TaskStatus(StrEnum):
    """Where a task stands."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class TaskRequest(BaseModel):
    """The body of POST /api/v1/tasks."""

    content: str
    session_id: str | None = None
    store_knowledge: bool = True


class Task(BaseModel):
    """A task as GET /api/v1/tasks/{id} shows it."""

    id: UUID = Field(default_factory=uuid4)
    content: str
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    status: TaskStatus = TaskStatus.PENDING
    result: str | None = None
    logs: list[str] = Field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in (TaskStatus.COMPLETED, TaskStatus.FAILED)


class Tasks:
    """All tasks, in memory and in a file of the memory's directory."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "state_dump.json"
        self._tasks: dict[UUID, Task] = {}
        self._running: set[asyncio.Task[None]] = set()

    def load(self) -> None:
        """Read what an earlier process left; what ran then has failed."""
        if not self._file.exists():
            return
        for entry in json.loads(self._file.read_text()):
            task = Task.model_validate(entry)
            if not task.over:
                task.status = TaskStatus.FAILED
            self._tasks[task.id] = task

    def get(self, task_id: UUID) -> Task | None:
        """The task, or None."""
        return self._tasks.get(task_id)

    def all(self) -> list[Task]:
        """Every task, the oldest first."""
        return list(self._tasks.values())

    def submit(self, request: TaskRequest) -> Task:
        """Start a task."""
        task = Task(content=request.content)
        self._tasks[task.id] = task
        running = asyncio.create_task(self._run(task))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return task

    async def events(self, task_id: UUID) -> AsyncIterator[str]:
        """The server-sent events of a task until it is over."""
        seen: tuple[str, str | None, int] | None = None
        quiet = 0.0
        while True:
            task = self._tasks[task_id]
            now = (task.status, task.result, len(task.logs))
            if now != seen:
                yield _event("task_update", task, task.logs[seen[2] if seen else 0 :])
                seen, quiet = now, 0.0
            elif quiet >= _HEARTBEAT_SECONDS:
                yield _event("heartbeat", task, [])
                quiet = 0.0
            if task.over:
                yield _event("task_finished", task, [])
                return
            await asyncio.sleep(_POLL_SECONDS)
            quiet += _POLL_SECONDS

    async def _run(self, task: Task) -> None:
        task.status = TaskStatus.PROCESSING
        task.logs.append("Task accepted")
        try:
            await self._answer(task)
            task.status = TaskStatus.COMPLETED
        except (llm.NoModel, httpx.HTTPError, ValueError, KeyError) as error:
            task.result = f"The task failed: {error or type(error).__name__}"
            task.status = TaskStatus.FAILED
        self._save()

    async def _answer(self, task: Task) -> None:
        """Ask twice, as the real one does: what is wanted, then the answer."""
        llm.assert_possible()
        question = {"role": "user", "content": task.content}
        classification = [{"role": "user", "content": f"Is this a question or a request? {task.content}"}]
        intent = await llm.ask(classification, max_tokens=4)
        task.logs.append(f"Intent: {intent.strip()}")
        answer = ""
        async for text in llm.stream([question]):
            answer += text
            task.result = answer
        task.result = answer.strip()

    def _save(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        part = self._file.with_name(f".{self._file.name}.{os.getpid()}")
        part.write_text(json.dumps([task.model_dump(mode="json") for task in self._tasks.values()]))
        part.replace(self._file)


def _event(name: str, task: Task, logs: list[str]) -> str:
    payload: dict[str, Any] = {
        "task_id": str(task.id),
        "status": task.status,
        "result": task.result,
        "logs": logs,
        "timestamp": datetime.now(UTC).isoformat(),
        "llm_model": SETTINGS.LLM_MODEL_NAME,
        "llm_endpoint": SETTINGS.endpoint,
    }
    return f"event:{name}\ndata:{json.dumps(payload)}\n\n"
