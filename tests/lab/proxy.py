"""An HTTP proxy of a test's own, on the lab's bridge: it asks who comes, and records what each asked for."""

from __future__ import annotations

import base64
import http.client
import select
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from lab import network
from tests.http_serving import Quiet, serving

_HOP_BY_HOP = {
    "proxy-authorization",
    "proxy-connection",
    "connection",
    "keep-alive",
    "te",
    "transfer-encoding",
}


@dataclass
class Proxy:
    """A proxy that runs: where it is, and what it was asked for."""

    url: str
    requests: list[str] = field(default_factory=list)  # "CLIENT METHOD TARGET STATUS", in order


@contextmanager
def proxy(credentials: str = "", refuses: str = "") -> Iterator[Proxy]:
    """Serve as a proxy; `credentials` ("user:password") must be sent, targets with `refuses` get 403."""
    wanted = f"Basic {base64.b64encode(credentials.encode()).decode()}" if credentials else ""

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def _let_in(self) -> bool:
            status = 0
            if wanted and self.headers.get("Proxy-Authorization") != wanted:
                status = 407
            elif refuses and refuses in self.path:
                status = 403
            if status:
                self._record(status)
                self.close_connection = True
                self.send_response(status)
                self.send_header("Proxy-Authenticate", 'Basic realm="lab"')
                self.send_header("Content-Length", "0")
                self.end_headers()
            return not status

        def _record(self, status: int) -> None:
            served.requests.append(f"{self.client_address[0]} {self.command} {self.path} {status}")

        def do_CONNECT(self) -> None:
            if not self._let_in():
                return
            self.close_connection = True
            host, _, port = self.path.rpartition(":")
            try:
                there = socket.create_connection((host.strip("[]"), int(port)), timeout=20)
            except OSError:
                self._record(502)
                self.send_error(502)
                return
            self._record(200)
            self.send_response(200)
            self.end_headers()
            with closing(there):
                _relay(self.connection, there)

        def do_GET(self) -> None:
            if not self._let_in():
                return
            self.close_connection = True
            parts = urlsplit(self.path)
            there = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
            target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
            with closing(there):
                try:
                    there.request(self.command, target, body, {**headers, "Connection": "close"})
                    answer = there.getresponse()
                except OSError:
                    self._record(502)
                    self.send_error(502)
                    return
                self._record(answer.status)
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in _HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                while chunk := answer.read(1 << 16):
                    self.wfile.write(chunk)

        do_HEAD = do_POST = do_GET

    with serving(Handler, str(network.GATEWAY)) as url:
        served = Proxy(url)
        yield served


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Hand over what comes on either side, until one of them ends."""
    ends = {one: other, other: one}
    while True:
        ready, _, _ = select.select(list(ends), [], [], 120)
        if not ready:
            return
        for end in ready:
            data = end.recv(1 << 16)
            if not data:
                return
            ends[end].sendall(data)
