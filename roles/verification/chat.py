"""A chat by the API, its events as they come: Venom's own pipeline from question to answer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from roles.verification.access import Access
from roles.verification.attempt import NotSo

QUESTION = "What is the capital of Poland? Answer with one word."
SESSION = "acceptance"  # the chats that an acceptance leaves are recognized by it

UPDATE, FINISHED = "task_update", "task_finished"


@dataclass(frozen=True)
class Event:
    """A server-sent event of a task, and when it was here: seconds since the question was sent."""

    name: str
    at: float
    data: dict[str, Any]


@dataclass(frozen=True)
class Chat:
    """A question, what came while it was worked on, and what became of it."""

    task: str
    events: tuple[Event, ...]
    status: str  # of GET /api/v1/tasks/{id} after its end: COMPLETED, FAILED
    result: str
    seconds: float  # from the question to the end of its events

    @property
    def names(self) -> list[str]:
        """The events' names, in their order."""
        return [it.name for it in self.events]

    @property
    def first_words(self) -> float | None:
        """Seconds until the first words of the answer were here; None where they came with its end."""
        return next((it.at for it in self.events if it.name == UPDATE and it.data.get("result")), None)


def ask(access: Access, patience: float) -> Chat:
    """Ask, and follow the task to its end. Raises NotSo where it has none in so many seconds."""
    begun, tasks = time.monotonic(), f"{access.api}/api/v1/tasks"
    body = {"content": QUESTION, "session_id": SESSION, "store_knowledge": False}
    with access.session() as http:
        answer = http.post(tasks, json=body, timeout=patience)
        if answer.status_code != 201:
            raise NotSo(f"POST /api/v1/tasks answers {answer.status_code}: {answer.text[:200]}")
        task = answer.json()["task_id"]
        events: list[Event] = []
        with http.get(f"{tasks}/{task}/stream", stream=True, timeout=patience) as stream:
            if stream.status_code != 200:
                raise NotSo(f"GET /api/v1/tasks/{task}/stream answers {stream.status_code}")
            for name, data in parse(stream.iter_lines(chunk_size=1, decode_unicode=True)):
                at = time.monotonic() - begun
                events.append(Event(name, at, json.loads(data)))
                if name == FINISHED:
                    break
                if at > patience:
                    raise NotSo(
                        f"no {FINISHED} after {at:.0f} s; the last event was {name}: {_state(events[-1])}"
                    )
        seconds = time.monotonic() - begun
        done = http.get(f"{tasks}/{task}", timeout=patience).json()
    return Chat(task, tuple(events), done["status"], done["result"] or "", seconds)


def parse(lines: Iterable[str | bytes]) -> Iterator[tuple[str, str]]:
    """(event, data) of each server-sent event. https://html.spec.whatwg.org/multipage/server-sent-events.html"""
    name, data = "message", list[str]()
    for line in lines:
        text = line.decode() if isinstance(line, bytes) else line
        field, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if not text:
            if data:
                yield name, "\n".join(data)
            name, data = "message", []
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)


def held_back(events: Iterable[Event]) -> float:
    """Seconds by which something on the way held back the first event, compared with the last.

    A proxy that buffers hands everything over at the end: the first event, which the backend stamped
    long before, then arrives together with the last.
    """
    lags = [it.at - stamped for it in events if (stamped := _stamp(it)) is not None]
    return max(0.0, lags[0] - lags[-1]) if lags else 0.0


def _stamp(event: Event) -> float | None:
    stamp = event.data.get("timestamp")
    try:
        return datetime.fromisoformat(str(stamp).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None


def _state(event: Event) -> str:
    words = str(event.data.get("result") or "")
    # Who runs on for ever is distinguished from who says nothing.
    so_far = f", {len(words)} characters of an answer" if words else ""
    return f"{event.data.get('status', 'no status')}{so_far}"
