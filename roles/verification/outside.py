"""The checks from outside: the API as its users reach it, and the ports that must not be reached."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence

from roles.verification import chat
from roles.verification.acceptance import Check, Evidence
from roles.verification.access import Access
from roles.verification.attempt import NotSo, Skip, attempt, skipped
from schemas.data.contract import contract
from schemas.model import HostPlan

FAILS_WITHIN = 15.0  # seconds in which a chat without any model must say so

_LOCAL = {"127.0.0.1", "::1", "localhost"}


def chats(access: Access, plan: HostPlan, loaded: bool, budget: float, took: dict[str, float]) -> list[Check]:
    """A chat by the API, as far as something here can answer it. `loaded`: the model was, before.

    The seconds that it takes are put into `took`: whether they are within the budget is judged with
    the other figures.
    """
    if plan.model is None:
        return [_cloud(access, plan), skipped(*_CHAT, NO_MODEL), skipped(*_STREAM, NO_MODEL)]
    answered: list[chat.Chat] = []

    def try_it() -> tuple[str, Sequence[Evidence]]:
        done = chat.ask(access, patience=3 * budget)
        answered.append(done)
        took["chat_seconds"] = done.seconds
        cold = "" if loaded else " (the model was not loaded before)"
        first = f", its first words after {done.first_words:.1f} s" if done.first_words else ""
        found = f"{done.status} after {done.seconds:.1f} s{first}{cold}"
        shown = Evidence("text", "Question and answer", f"{chat.QUESTION}\n{done.result}")
        if done.status != "COMPLETED" or not done.result.strip():
            raise NotSo(f"{found}: {done.result[:200] or 'an empty answer'}", shown)
        return found, (shown,)

    finished = attempt(*_CHAT, try_it, patience=4 * budget)
    return [finished, _stream(answered[0]) if answered else skipped(*_STREAM, "the chat had no end")]


NO_MODEL = "there is no local model, and no cloud API is used"
_CHAT = ("api.chat", "A chat by the API", "COMPLETED, with an answer")
_STREAM = (
    "api.stream",
    "The events of the chat as they come (SSE)",
    f"{chat.UPDATE} before {chat.FINISHED}, none held back",
)


def _stream(done: chat.Chat) -> Check:
    def try_it() -> tuple[str, Sequence[Evidence]]:
        names, held = done.names, chat.held_back(done.events)
        lines = "\n".join(f"{it.at:7.3f} s  {it.name}  {it.data.get('status', '')}" for it in done.events)
        shown = Evidence("text", "Events", lines)
        if chat.UPDATE not in names or names[-1] != chat.FINISHED:
            raise NotSo(f"came: {', '.join(names) or 'nothing'}", shown)
        if held > 1:
            raise NotSo(f"the first event was held back for {held:.1f} s on the way", shown)
        first = done.events[0].at
        return f"{len(names)} events, the first after {first:.2f} s, {names[-1]} last", (shown,)

    return attempt(*_STREAM, try_it)


def _cloud(access: Access, plan: HostPlan) -> Check:
    """Without a local model: a key is there, or a chat says clearly that nothing can answer."""
    keys = [key for key, _ in contract().cloud]
    given = [key for key in keys if key in plan.backend.secrets]
    title = "Answers come from the cloud, or clearly from nowhere"
    if given:
        # Asking would cost money and show a stranger's service an acceptance.
        return attempt(
            "cloud.key", title, "a key of a cloud API", lambda: f"{', '.join(given)}; it was not asked"
        )

    def try_it() -> str:
        done = chat.ask(access, patience=2 * FAILS_WITHIN)
        found = f"{done.status} after {done.seconds:.1f} s: {done.result[:120]}"
        if done.status != "FAILED" or done.seconds > FAILS_WITHIN:
            raise NotSo(found)
        return f"no key is given, and a chat says so: {found}"

    return attempt(
        "cloud.key", title, f"a key, or a task that FAILS within {FAILS_WITHIN:.0f} s", try_it, patience=60
    )


def runtime(access: Access, plan: HostPlan) -> list[Check]:
    """What Venom itself says about its model server."""

    def active() -> str:
        document = access.get("/api/v1/system/llm-runtime/active").json()
        now, drift = document["runtime"], document.get("drift", {})
        found = f"{now['provider']}, {now['model']} at {now.get('endpoint')}"
        if plan.model is None or plan.ollama is None:
            return _without_server(found, drift.get("active_server", ""))
        if drift.get("drift_detected"):
            raise NotSo(f"{found}; drift: {drift.get('issues') or drift}")
        if (now["provider"], now["model"]) != ("ollama", plan.model.name):
            raise NotSo(found)
        if f":{plan.ollama.port}" not in str(now.get("endpoint")):
            raise NotSo(found)
        return found

    def servers() -> str:
        names = [it["name"] for it in access.get("/api/v1/system/llm-servers").json()["servers"]]
        found = ", ".join(names) or "none"
        missing = plan.model is not None and "ollama" not in names
        if missing or (plan.profile == "light" and names != ["ollama"]) or (plan.model is None and names):
            raise NotSo(found)
        return found

    local = f"ollama, {plan.model.name}, no drift" if plan.model else "no model server of its own"
    listed = {"light": "ollama alone", "llm_off": "none"}.get(plan.profile, "ollama among them")
    return [
        attempt("runtime.active", "The active runtime that Venom reports", local, active),
        attempt("runtime.servers", "The model servers that Venom reports", listed, servers),
    ]


def _without_server(found: str, active: str) -> str:
    """What a profile without a model server reports.

    Venom goes on naming its default provider, and marks that it is none by a drift; what counts is
    the server that it is set to.
    """
    if active not in {"", "none"}:
        raise NotSo(f"{active} is set as the active server ({found})")
    return (
        f"the active server is {active or 'none'}; Venom names {found} as its default, and calls that drift"
    )


def closed(address: str, ports: Iterable[tuple[str, int]]) -> Check:
    """That nothing of this answers at the host's own address."""

    def try_it() -> str:
        if address in _LOCAL or address.startswith("@"):
            raise Skip("the host is this very machine")
        reached = [f"{name} ({port})" for name, port in ports if _answers(address, port)]
        if reached:
            raise NotSo(f"reached at {address}: {', '.join(reached)}")
        return "none answers: " + ", ".join(f"{name} ({port})" for name, port in ports)

    return attempt(
        "outside.closed", "Backend, UI and Ollama from outside", "no way in but the one that is meant", try_it
    )


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=3):
            return True
    except OSError:
        return False
