"""A port of the host's loopback, here: through the SSH connection that pyinfra has open already.

`ssh -L` would log in a second time, and would not know what the first login was allowed by.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from gevent.server import StreamServer
from paramiko import SSHException

from engine.connection.connector import Connector

_CHUNK = 1 << 16
_LOOPBACK = "127.0.0.1"


@contextmanager
def tunnel(target: Any, port: int) -> Iterator[int]:
    """The local port that leads to the host's 127.0.0.1:`port`; of this very machine it is that port.

    `target`: pyinfra's host, connected.
    """
    if not isinstance(target.connector, Connector):
        yield port
        return
    forward = target.connector.forward

    def serve(local: socket.socket, peer: tuple[str, int]) -> None:
        try:
            channel = forward((_LOOPBACK, port), peer)
        except (SSHException, EOFError, OSError):
            local.close()  # nobody listens there: the caller sees it by the end of the connection
            return
        sending = gevent.spawn(_pump, local, channel)
        _pump(channel, local)
        sending.join(timeout=1)
        channel.close()
        local.close()

    server = StreamServer((_LOOPBACK, 0), serve)
    server.start()
    try:
        yield int(server.server_port or 0)
    finally:
        server.stop(timeout=1)


def _pump(source: Any, sink: Any) -> None:
    """Pass on what comes until there is no more, then say so to the other side."""
    try:
        while data := source.recv(_CHUNK):
            sink.sendall(data)
        # A channel and a socket know the same word for it.
        sink.shutdown(socket.SHUT_WR)
    except (OSError, EOFError, SSHException):
        return
