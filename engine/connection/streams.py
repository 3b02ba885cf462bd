"""What goes to a command on a host and what comes from it, over one channel of SSH."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from paramiko import Channel

from engine.connection.shell import Reader

CHUNK = 1 << 16
PATIENCE = 30.0  # seconds for a session to begin, and for what a command says first
LOOKS = 1.0  # seconds between two looks at the clock


class Conversation:
    """A command that goes on while others run: what it says first, and its end."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._reader = Reader()
        channel.settimeout(PATIENCE)

    def line(self) -> str:
        """The first line that it says; empty where it ended. Raises TimeoutError where it says nothing."""
        received = b""
        while b"\n" not in received + self._reader.uncertain and self._reader.status is None:
            piece = self._channel.recv(CHUNK)
            if not piece:
                break
            received += self._reader.feed(piece)
        return (received + self._reader.uncertain).partition(b"\n")[0].decode("utf-8", "replace")

    def end(self, text: str) -> None:
        """Tell it a last line, and wait until it is over."""
        self._channel.sendall(text.encode())
        self._channel.shutdown_write()
        while self._reader.status is None and (piece := self._channel.recv(CHUNK)):
            self._reader.feed(piece)
        self._channel.close()


def read(
    receive: Callable[[int], bytes],
    reader: Reader,
    sink: Callable[[bytes], object],
    channel: Channel,
    ends: float | None,
) -> bool:
    """Take what a stream says until its last mark, or its end. True says that the time is over."""
    while reader.status is None:
        if ends is not None and time.monotonic() > ends:
            return True
        try:
            # Both streams are waited for: each waits a little, and looks at the clock.
            channel.settimeout(LOOKS)
            piece = receive(CHUNK)
        except TimeoutError:
            continue
        except (OSError, EOFError):
            break
        if not piece:
            break
        sink(reader.feed(piece))
    sink(reader.rest())
    return False


def give(stdin: Iterator[bytes], channel: Channel, ends: float | None) -> None:
    """Write all of it to a command, and say that this was all.

    A host may take nothing for a while: then the clock is looked at, and it is tried again until the command
    is over or its time is. Raises OSError where it is closed.
    """
    # As `read` does, which may not have begun.
    channel.settimeout(LOOKS)
    for piece in stdin:
        sent = 0
        while sent < len(piece):
            try:
                sent += channel.send(piece[sent : sent + CHUNK])
            except TimeoutError:
                if channel.exit_status_ready() or (ends is not None and time.monotonic() > ends):
                    return
    channel.shutdown_write()


def given(stdin: Any) -> Iterator[bytes]:
    """What is written to a command, in pyinfra's forms: each text ends with the end of a line."""
    texts = stdin.readlines() if hasattr(stdin, "readlines") else stdin
    for it in texts if isinstance(texts, list | tuple) else [texts]:
        if it:
            yield (it if it.endswith("\n") else f"{it}\n").encode()


class Lines:
    """Cuts what comes into lines."""

    def __init__(self, take: Callable[[str], object]) -> None:
        self._take = take
        self._held = b""

    def feed(self, piece: bytes) -> None:
        *whole, self._held = (self._held + piece).split(b"\n")
        for it in whole:
            self._take(it.decode("utf-8", "replace"))

    def end(self) -> None:
        if self._held:
            self._take(self._held.decode("utf-8", "replace"))
