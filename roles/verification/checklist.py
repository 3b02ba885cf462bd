"""The contract's deployment checklist and scenarios, each line with the checks that it stands on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from roles.verification.acceptance import PASSED, SKIPPED, Check, Item, result_of

# The checklist first, then the scenarios (docs/contract.md#acceptance). The first pattern is what the line
# is about: where that was not tried, the others do not make it pass.
LINES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("The production start works and names the links to backend and UI", ("units.*", "health.*")),
    (
        "The proxy sends /api and /ws to FastAPI and the rest to Next",
        ("door.api", "door.*", "outside.closed"),
    ),
    ("End-to-end tests pass on the production build", ("ui.pages", "ui.narrow", "ui.chat")),
    ("Chat latency is below its budget (15 s)", ("budget.ui_chat_seconds", "ui.chat")),
    (
        "The chat pipeline passes (SSE task_update → task_finished under 25 s)",
        ("api.chat", "api.stream", "budget.chat_seconds"),
    ),
    ("Demo chat on Gemma 3 without ONNX", ("api.chat", "model.*", "onnx.*")),
    ("llm_off: no local runtime; cloud configured, or clearly not", ("runtime.none", "cloud.key")),
    ("What the runtime API reports agrees with the profile", ("runtime.active", "runtime.servers")),
    ("No Docker engine or command line is needed", ("docker.*",)),
)


def checklist(checks: Sequence[Check]) -> tuple[Item, ...]:
    """The lines that concern this host: those of which something was tried, or reported as skipped."""
    items = []
    for text, patterns in LINES:
        meant = [it for it in checks if any(fnmatchcase(it.name, pattern) for pattern in patterns)]
        if meant:
            result = result_of(it.result for it in meant)
            about = [it.result for it in meant if fnmatchcase(it.name, patterns[0])]
            if result == PASSED and PASSED not in about:
                result = SKIPPED
            items.append(Item(text, result, tuple(it.name for it in meant)))
    return tuple(items)
