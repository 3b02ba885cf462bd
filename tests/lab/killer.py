"""Ends the process that runs the main job by SIGKILL, right after an operation that changed a host."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from pyinfra.api.state import BaseStateCallback, State


class Killer(BaseStateCallback):
    """Kills after the first operation that changed something, and that is not recorded yet.

    `record` lists these, a line each; this one is added. An operation that changed nothing leaves the
    hosts as the one before left them: a kill after it would be the same kill again. With `every` 2, the
    first is passed over, recorded as well, and the second one kills.
    """

    def __init__(self, record: Path, every: int) -> None:
        self.record = record
        self.every = every
        self.passed = 0

    def operation_end(self, state: State, op_hash: str) -> None:  # type: ignore[override]
        """Note which operation it was, and end."""
        name = ", ".join(sorted(state.get_op_meta(op_hash).names))
        with self.record.open("a+", encoding="utf-8") as file:
            file.seek(0)
            if name in file.read().splitlines() or not _changed(state, op_hash):
                return
            file.write(f"{name}\n")
        self.passed += 1
        if self.passed == self.every:
            os.kill(os.getpid(), signal.SIGKILL)


def arm(state: State, record: Path, every: int) -> None:
    """Have the run killed; the deploy file asks for it once a host."""
    if not any(isinstance(handler, Killer) for handler in state.callback_handlers):
        state.add_callback_handler(Killer(record, every))  # type: ignore[no-untyped-call]


def _changed(state: Any, op_hash: str) -> bool:
    done = [state.ops[host][op_hash].operation_meta for host in state.ops if op_hash in state.ops[host]]
    return any(it.is_complete() and it.did_change() for it in done)
