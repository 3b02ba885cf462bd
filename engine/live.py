"""What each host is at while a run changes it: lines at the foot of the terminal, or now and then one.

On a terminal one line a host is drawn anew all the time, below what pyinfra prints, and is gone in the end.
They take the place of pyinfra's spinner, which cannot share the screen. Where standard error is no
terminal, or the operator switched pyinfra's progress off, it is a line of the log every 15 seconds a host.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import gevent
from pyinfra.api.state import BaseStateCallback, State

from engine.progress import duration

LOG_SECONDS = 15.0
DRAW_SECONDS = 0.25
# An operation that is over sooner needs no line.
SHOWN_AFTER_SECONDS = 0.5

_SPINNER = "PYINFRA_PROGRESS"  # "off" in the environment switches pyinfra's off
# From the line's beginning to the screen's end. A "\r" would make standard error flush.
_CLEAR = "\033[G\033[J"


@dataclass
class _At:
    """What one host is at. `text` is without its time, unless the work has a line of its own."""

    text: str
    begun: float
    whole: bool = False

    def line(self, now: float) -> str:
        return self.text if self.whole else f"{self.text}, {duration(now - self.begun)}"


_hosts: dict[str, _At] = {}
_logged_at: dict[str, float] = {}
_drawing: list[Any] = []  # the greenlet that draws, where there is one


class _Operations(BaseStateCallback):
    """Records which operation each host is at."""

    @staticmethod
    def operation_host_start(state: State, host: Any, op_hash: str) -> None:
        names = ", ".join(sorted(state.get_op_meta(op_hash).names))
        _hosts[host.name] = _At(names, time.monotonic())

    @staticmethod
    def operation_host_success(state: State, host: Any, op_hash: str, retry_count: int = 0) -> None:
        _hosts.pop(host.name, None)

    @staticmethod
    def operation_host_error(
        state: State, host: Any, op_hash: str, retry_count: int = 0, max_retries: int = 0
    ) -> None:
        _hosts.pop(host.name, None)


def begin(state: State) -> None:
    """Draw for the rest of this run, where there is a terminal. Each host of a run may ask for it."""
    if _drawing or not drawable(sys.stderr, os.environ):
        return
    os.environ[_SPINNER] = "off"
    # What is written without a flush has to wait, in spite of PYTHONUNBUFFERED.
    sys.stderr.reconfigure(write_through=False)  # type: ignore[union-attr]
    state.add_callback_handler(_Operations())  # type: ignore[no-untyped-call]
    _drawing.append(gevent.spawn(_draw))


def report(host: Any, text: str) -> None:
    """Report what the host is at: in its line at once, or in the log if nothing was logged lately."""
    now = time.monotonic()
    if _drawing:
        _hosts[host.name] = _At(text, now, whole=True)
    elif now - _logged_at.get(host.name, now - LOG_SECONDS) >= LOG_SECONDS:
        done(host, text)


def done(host: Any, text: str) -> None:
    """Log what is done on the host; what it is at can then wait."""
    _logged_at[host.name] = time.monotonic()
    host.log(text)


def drawable(stream: TextIO, environment: Any) -> bool:
    """Whether lines can be drawn anew there, and the operator wants it."""
    dumb = environment.get("TERM", "dumb") == "dumb" or environment.get(_SPINNER) == "off"
    return stream.isatty() and not dumb


def frame(lines: Sequence[str], columns: int, rows: int) -> str:
    """What draws the lines on a screen of this size, and leaves the cursor where they begin.

    So nothing has to be known of them to draw over them, also when the window changes. None is longer
    than a row, and all of them leave room for a row of the log.
    """
    if not lines:
        return ""
    room = max(1, rows - 1)
    if len(lines) > room:
        lines = [*lines[: room - 1], f"    and {len(lines) - room + 1} more hosts"]
    cut = [it if len(it) < columns else f"{it[: max(0, columns - 2)]}…" for it in lines]
    up = f"\033[{len(cut) - 1}A" if len(cut) > 1 else ""
    return "\n".join(cut) + up + "\r"


def _draw() -> None:
    """Draw until the process ends; whatever is printed meanwhile takes the place of the lines.

    What clears them is written without a flush, so it goes in front of the next text that anybody prints.
    """
    drawn = False
    while True:
        now = time.monotonic()
        lines = [
            f"    [{name}] {at.line(now)}"
            for name, at in sorted(_hosts.items())
            if at.whole or now - at.begun >= SHOWN_AFTER_SECONDS
        ]
        if lines or drawn:
            size = shutil.get_terminal_size()
            sys.stderr.write(frame(lines, size.columns, size.lines))
            sys.stderr.flush()
            sys.stderr.write(_CLEAR if lines else "")
            drawn = bool(lines)
        gevent.sleep(DRAW_SECONDS)
