"""How pyinfra's SSH connector talks to a host: each message at once."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paramiko import Transport


def prompt(sock: Any, **settings: Any) -> Transport:
    """A paramiko transport that never waits to fill a packet.

    SSH is a conversation of small messages. By default (Nagle's algorithm) the second of two is held
    back until the host confirms the first, which takes it 40 ms: once in each command, and twice in
    the handshake.
    """
    # Here, because who only reads an inventory has no need of it.
    from paramiko import Transport  # noqa: PLC0415

    if isinstance(sock, socket.socket):  # not where a jump host's channel takes its place
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Transport(sock, **settings)
