"""What the lab's two HTTP servers share: files with Range, faults on request, a log of every answer.

A fault is what networks and mirrors do to a download. It is asked for by the control address of a
server, for requests whose path contains a text and, if given, of one client, for so many requests:

    PUT    /_lab/faults   [{"kind": "truncate", "contains": "node-", "client": "10.77.0.11", "times": 2}]
    GET    /_lab/faults
    DELETE /_lab/faults
With ?client=ADDRESS, PUT and DELETE leave the faults of other clients alone.

    truncate   the connection ends after half of the bytes
    wrong      other bytes, as many as promised
    hang       half of the bytes, then nothing more
    slow       1 MiB a second
    gone       404
    busy       503
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

from lab.state import STATE

REQUEST_LOG = STATE / "run" / "requests.log"
STATUS_FAULTS = {"gone": 404, "busy": 503}
KINDS = frozenset({"truncate", "wrong", "hang", "slow", *STATUS_FAULTS})

_CHUNK = 1 << 18
_SLOW_BYTES_PER_SECOND = 1 << 20
_HANG_SECONDS = 900.0
_FLIP = bytes(255 - value for value in range(256))
_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")


@dataclass(frozen=True)
class Fault:
    """One fault that was asked for."""

    kind: str
    contains: str = ""  # part of the path; empty: any
    client: str = ""  # address; empty: any
    times: int = 0  # requests; 0: until it is taken back

    def concerns(self, path: str, client: str) -> bool:
        """Whether a request of this client for this path gets it."""
        return self.contains in path and self.client in ("", client)


class Faults:
    """The faults that a server has to make now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def replace(self, faults: list[Fault], client: str = "") -> None:
        """Make these, and no others; with a client, none but those of other clients besides."""
        unknown = {fault.kind for fault in faults} - KINDS
        if unknown:
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
        with self._lock:
            others = [it for it in self._faults if it.client != client] if client else []
            self._faults = [*others, *faults]

    def listed(self) -> list[dict[str, Any]]:
        """As the control address shows them."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def take(self, path: str, client: str, *, transfers: bool) -> str:
        """The kind of fault for this request, empty for none; one time of it is used up.

        A request that transfers no content can be refused, but has nothing that could break off.
        """
        with self._lock:
            for index, fault in enumerate(self._faults):
                if fault.concerns(path, client) and (transfers or fault.kind in STATUS_FAULTS):
                    if fault.times == 1:
                        del self._faults[index]
                    elif fault.times:
                        self._faults[index] = replace(fault, times=fault.times - 1)
                    return fault.kind
        return ""


class RequestLog:
    """The requests of all hosts, a JSON object a line: who fetched what, and how many bytes."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", buffering=1)
        self._lock = threading.Lock()

    def write(self, entry: dict[str, Any]) -> None:
        """Append one line."""
        with self._lock:
            self._file.write(json.dumps(entry) + "\n")


class Upstream(ThreadingHTTPServer):
    """A server of the lab's upstream."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[FileHandler],
        root: Path,
        log: RequestLog | None = None,
    ) -> None:
        self.root = root
        self.log = log or RequestLog(REQUEST_LOG)
        self.faults = Faults()
        super().__init__(address, handler)


class FileHandler(BaseHTTPRequestHandler):
    """One connection; a subclass says in `respond` which file a path is."""

    protocol_version = "HTTP/1.1"
    timeout = 60  # of an idle connection, seconds
    role = ""  # as the log names the server
    server: Upstream

    def respond(self, path: str, fault: str) -> None:
        """Answer a GET or HEAD for the path (decoded, without its query)."""
        raise NotImplementedError

    def transfers(self, path: str) -> bool:
        """Whether the content is what the client is after."""
        return self.command == "GET"

    def do_GET(self) -> None:
        """Answer a GET."""
        path = unquote(urlsplit(self.path).path)
        if path == "/_lab/faults":
            self.send_text(200, json.dumps(self.server.faults.listed()), "application/json")
            return
        self._logged(path)

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        """Set the faults."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self.server.faults.replace([Fault(**fault) for fault in json.loads(body)], self._client())
        except (ValueError, TypeError) as error:
            self.send_text(400, f"{error}\n")
            return
        self.send_text(200, "ok\n")

    def do_DELETE(self) -> None:
        """Take the faults back."""
        self.server.faults.replace([], self._client())
        self.send_text(200, "ok\n")

    def _client(self) -> str:
        """Whose faults a request to the control address is about; empty for everybody's."""
        return parse_qs(urlsplit(self.path).query).get("client", [""])[0]

    def send_text(self, status: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
        """A short answer."""
        data = text.encode()
        self.status = status
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self._write(data)

    def send_file(self, path: Path, kind: str, headers: dict[str, str], fault: str = "") -> None:
        """A file, or the range of it that was asked for."""
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            wanted = self._range(size)
            if wanted is None:
                self.status = 416
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start, end = wanted
            self.status = 206 if "Range" in self.headers else 200
            self.send_response(self.status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(end - start))
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Last-Modified", formatdate(path.stat().st_mtime, usegmt=True))
            if self.status == 206:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                file.seek(start)
                self._send(file, end - start, fault)

    def log_message(self, format: str, *args: Any) -> None:
        """Silence: the request log has it."""

    def _logged(self, path: str) -> None:
        started = time.time()
        self.status = self.sent = 0
        client = self.client_address[0]
        fault = self.server.faults.take(path, client, transfers=self.transfers(path))
        try:
            if fault in STATUS_FAULTS:
                self.send_text(STATUS_FAULTS[fault], f"{fault}, as asked for\n")
            else:
                self.respond(path, fault)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            self.close_connection = True
        entry = {
            "time": round(started, 3),
            "server": self.role,
            "client": client,
            "method": self.command,
            "path": path,
            "status": self.status,
            "bytes": self.sent,
            "seconds": round(time.time() - started, 3),
        }
        self.server.log.write({**entry, "fault": fault} if fault else entry)

    def _range(self, size: int) -> tuple[int, int] | None:
        """First byte and the one after the last; None for a range that the file has not."""
        match = _RANGE.match(self.headers.get("Range", ""))
        if not match or match[0] == "bytes=-":
            return 0, size
        if not match[1]:  # the last so many bytes
            return max(size - int(match[2]), 0), size
        start, end = int(match[1]), min(int(match[2] or size) + 1, size)
        return (start, end) if start < end else None

    def _send(self, file: BinaryIO, length: int, fault: str) -> None:
        change: Callable[[bytes], bytes] = bytes
        if fault == "wrong":
            change = lambda data: data.translate(_FLIP)  # noqa: E731
        left = length // 2 if fault in ("truncate", "hang") else length
        while left > 0:
            data = file.read(min(_CHUNK, left))
            if not data:
                break
            self._write(change(data))
            left -= len(data)
            if fault == "slow":
                time.sleep(len(data) / _SLOW_BYTES_PER_SECOND)
        if fault == "hang":
            self._wait_for_the_client_to_leave()
        if fault in ("truncate", "hang"):
            self.close_connection = True

    def _wait_for_the_client_to_leave(self) -> None:
        self.connection.settimeout(_HANG_SECONDS)
        self.connection.recv(1)

    def _write(self, data: bytes) -> None:
        self.wfile.write(data)
        self.sent = getattr(self, "sent", 0) + len(data)
