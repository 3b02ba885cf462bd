"""What goes to a command arrives whole, however slowly its host takes it, and waits for no dead one."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from paramiko import Channel, ECDSAKey, ServerInterface, Transport
from paramiko.common import AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from engine.connection.streams import LOOKS, give

WINDOW = 1 << 15  # bytes that the host takes before anybody reads them there
TEXT = bytes(range(256)) * 1024  # eight times as much
PATIENCE = 30.0  # seconds in which whatever is awaited has to come

Given = Callable[[float | None], Future[None]]  # gives the text to the command until a time; None: forever


class Sshd(ServerInterface):
    """Lets everybody in, and begins whatever command it is sent."""

    def __init__(self) -> None:
        self.begun = threading.Event()

    def check_auth_none(self, username: str) -> int:
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: Channel, command: bytes) -> bool:
        self.begun.set()
        return True


@dataclass(frozen=True)
class Command:
    """A command that was begun: its channel on the controller, and on the host."""

    controller: Channel
    host: Channel

    def takes_no_more(self) -> bool:
        """Whether the host has all that it takes unread."""
        return self.controller.out_window_size == 0

    def read(self) -> bytes:
        """All that the command reads, up to the end of its input."""
        return b"".join(iter(lambda: self.host.recv(WINDOW), b""))


@pytest.fixture
def command() -> Iterator[Command]:
    """One over a real connection, both ends of which are in this process."""
    ours, theirs = socket.socketpair()
    server, client = Transport(theirs, default_window_size=WINDOW), Transport(ours)
    try:
        sshd = Sshd()
        server.add_server_key(ECDSAKey.generate())
        server.start_server(threading.Event(), sshd)
        client.start_client(timeout=PATIENCE)
        client.auth_none("root")
        channel = client.open_session(timeout=PATIENCE)
        host = server.accept(PATIENCE)
        assert host
        host.settimeout(PATIENCE)
        channel.exec_command("cat")
        assert sshd.begun.wait(PATIENCE)
        yield Command(channel, host)
    finally:
        client.close()
        server.close()


@pytest.fixture
def given(command: Command) -> Iterator[Given]:
    """Gives beside the test, which is the host meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda ends: pool.submit(give, iter([TEXT]), command.controller, ends)
        command.controller.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for it."""
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_a_host_that_takes_nothing_for_a_while_gets_all_of_it_in_the_end(
    command: Command, given: Given
) -> None:
    giving = given(None)
    until(command.takes_no_more)
    # That time passes is what this is about: nothing else comes of it.
    time.sleep(2.5 * LOOKS)
    assert not giving.done()
    assert command.read() == TEXT
    giving.result(PATIENCE)


def test_a_command_that_is_over_is_given_no_more(command: Command, given: Given) -> None:
    giving = given(None)
    until(command.takes_no_more)
    command.host.send_exit_status(1)
    giving.result(PATIENCE)
    assert command.takes_no_more()


def test_a_command_whose_time_is_over_is_given_no_more(command: Command, given: Given) -> None:
    ends = time.monotonic() + LOOKS / 2
    given(ends).result(PATIENCE)
    assert time.monotonic() > ends
    assert command.takes_no_more()


def test_who_gives_to_a_channel_that_its_host_closes_is_told(command: Command, given: Given) -> None:
    giving = given(None)
    until(command.takes_no_more)
    command.host.close()
    with pytest.raises(OSError, match="closed"):
        giving.result(PATIENCE)
