"""What an operator sees while a run goes on: on a terminal of a given size, and in a log."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyte
import pytest

from engine.live import _CLEAR, drawable, frame
from lab.state import REPOSITORY

COLUMNS, ROWS = 72, 12
# Whoever runs the tests may say how large their terminal is: xdist does.
_SIZE = ("COLUMNS", "LINES")

# A deploy whose operation takes its time, reports how far it is, and prints a line now and then.
DEPLOY = """
import time
from pyinfra.context import host, state
from pyinfra.operations import python
from engine import live, outcome
from engine.operations import refusal_ends_this_host

def work():
    for number in range(1, {steps}):
        live.report(host, f"UI build: npm ci, {{number}} of 9 packages, " + "with a long tail " * 5)
        if number % 3 == 0:
            host.log(f"third {{number}}")
        time.sleep(0.3)

with refusal_ends_this_host():
    python.call(name="Work", function=work)
    python.call(name="Slow", function=lambda: time.sleep(1.2))
"""


class Terminal:
    """A terminal of `COLUMNS` by `ROWS` in which a run of pyinfra goes on."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self.screen = pyte.HistoryScreen(COLUMNS, ROWS, history=500)
        self.process = process
        self._master = master
        self._stream = pyte.ByteStream(self.screen)

    @property
    def rows(self) -> list[str]:
        """What stands on the screen and above it, row by row."""
        above = ["".join(row[it].data for it in range(COLUMNS)) for row in self.screen.history.top]
        return [it.rstrip() for it in (*above, *self.screen.display)]

    @property
    def text(self) -> str:
        return "\n".join(self.rows).rstrip()

    def until(self, condition: Callable[[], bool]) -> None:
        """Show what comes until the condition holds or the process has ended."""
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, self.text
            if select.select([self._master], [], [], 0.2)[0]:
                try:
                    data = os.read(self._master, 128)  # less than a drawing
                except OSError:  # how Linux shows that the other end is closed
                    break
                self._stream.feed(data)

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)


@contextmanager
def terminal(folder: Path, steps: int) -> Iterator[Terminal]:
    """A run of the deploy against this machine, in a terminal."""
    (folder / "deploy.py").write_text(DEPLOY.format(steps=steps))
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("pyinfra")), "-y", "@local", str(folder / "deploy.py")],
        cwd=REPOSITORY,
        env={name: it for name, it in os.environ.items() if name not in _SIZE} | {"TERM": "xterm-256color"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 (no threads here)
    )
    os.close(slave)
    shown = Terminal(master, process)
    try:
        yield shown
    finally:
        process.kill()
        process.wait()
        os.close(master)


def lines_of_hosts(text: str) -> list[str]:
    return re.findall(r"^ *\[@local\] (?:UI build|Slow).*$", text, re.M)


def test_a_line_is_drawn_anew_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with terminal(tmp_path, steps=9) as shown:
        shown.until(lambda: bool(re.search("npm ci, [4-8] of 9", shown.text)))
        assert len(lines_of_hosts(shown.text)) == 1, shown.text
        assert len(lines_of_hosts(shown.text)[0]) < COLUMNS
        assert re.search(r"^    \[@local\] third 3$", shown.text, re.M), shown.text
        shown.until(lambda: "[@local] Slow, " in shown.text)
        shown.until(lambda: False)
        assert shown.process.wait(timeout=30) == 0
        assert lines_of_hosts(shown.text) == [], shown.text
        assert "third 6" in shown.text
        assert shown.text.endswith("--> In the end:\n    [@local] serves as before"), shown.text


def test_ctrl_c_leaves_a_clean_screen_and_says_what_to_do(tmp_path: Path) -> None:
    with terminal(tmp_path, steps=200) as shown:
        shown.until(lambda: "npm ci, 4 of 9" in shown.text)
        shown.type(b"\x03")
        shown.until(lambda: False)
        assert shown.process.wait(timeout=30) == 128 + signal.SIGINT
        assert lines_of_hosts(shown.text) == [], shown.text
        _, _, end = shown.text.partition("--> In the end:\n")
        assert end.splitlines()[0] == "    [@local] the run was interrupted"
        assert end.splitlines()[1].startswith("        do        run again")
        assert "Traceback" not in shown.text


def test_a_log_gets_a_line_now_and_then(tmp_path: Path) -> None:
    (tmp_path / "deploy.py").write_text(DEPLOY.format(steps=9))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("pyinfra")), "-y", "@local", str(tmp_path / "deploy.py")],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "npm ci, 1 of 9 packages" in done.stderr
    assert "npm ci, 2 of 9 packages" not in done.stderr, "15 s have not gone by"
    assert "\033" not in done.stderr
    assert "\r" not in done.stderr


# -- what is drawn ----------------------------------------------------------------------------------


def drawn(*texts: str) -> list[str]:
    """The rows of a small screen to which this was written."""
    screen = pyte.Screen(20, 5)
    screen.set_mode(pyte.modes.LNM)  # as a terminal's driver does with the ends of lines
    stream = pyte.Stream(screen)
    for text in texts:
        stream.feed(text)
    return [row.rstrip() for row in screen.display]


def test_lines_are_drawn_over_one_another() -> None:
    first, second = frame(["box1 a", "box2 b"], 20, 5), frame(["box2 c"], 20, 5)
    assert drawn(first) == ["box1 a", "box2 b", "", "", ""]
    assert drawn(first, _CLEAR, second) == ["box2 c", "", "", "", ""]


def test_what_is_printed_meanwhile_stands_above() -> None:
    lines = frame(["box1 a", "box2 b"], 20, 5)
    rows = drawn(*(text for number in range(6) for text in (_CLEAR, f"log {number}\n", lines)))
    assert rows == ["log 3", "log 4", "log 5", "box1 a", "box2 b"]


def test_no_line_is_longer_than_the_window() -> None:
    assert drawn(frame(["x" * 100, "y" * 19], 20, 5)) == ["x" * 18 + "…", "y" * 19, "", "", ""]


def test_more_hosts_than_rows_are_counted() -> None:
    assert drawn(frame([f"box{it}" for it in range(9)], 30, 5)) == [
        *("box0", "box1", "box2"),
        *("    and 6 more hosts"[:20].rstrip(), ""),
    ]


def test_nothing_is_drawn_where_there_is_no_terminal() -> None:
    assert not drawable(io.StringIO(), {"TERM": "xterm"})


@pytest.mark.parametrize(
    ("environment", "possible"),
    [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({}, False)]
    + [({"TERM": "xterm", "PYINFRA_PROGRESS": "off"}, False)],
)
def test_what_a_terminal_can_and_the_operator_wants_decides(
    environment: dict[str, str], possible: bool
) -> None:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as stream:
        assert drawable(stream, environment) is possible
    os.close(master)
