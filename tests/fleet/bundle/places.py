"""Places on the loopback that downloads come from, with the faults of real ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

from tests.http_serving import Quiet, serving


@dataclass
class Places:
    """What is to be had: path → content. `cut`: bytes after which a path's connection ends, once each."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    cut: dict[str, list[int]] = field(default_factory=dict)
    busy: int = 0  # so many requests are refused for now
    token: str = ""  # which registries want
    ranges: bool = True
    requests: Counter[str] = field(default_factory=Counter)
    sent: int = 0

    def put(self, path: str, content: bytes, content_type: str = "application/octet-stream") -> str:
        """Publish a file; gives its URL."""
        self.files[path], self.types[path] = content, content_type
        return f"{self.url}/{path}"


@contextmanager
def places() -> Iterator[Places]:
    """Places that answer as long as the context lasts."""
    held = Places()

    class Handler(Quiet):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(self.path.partition("?")[0]).lstrip("/")
            held.requests[path] += 1
            if path == "token":
                self._answer(200, b'{"token": "for-everybody"}', "application/json")
            elif held.token and self.headers.get("Authorization") != f"Bearer {held.token}":
                challenge = f'Bearer realm="{held.url}/token",service="places",scope="pull"'
                self._answer(401, b"", "text/plain", {"WWW-Authenticate": challenge})
            elif held.busy:
                held.busy -= 1
                self._answer(503, b"", "text/plain")
            elif path not in held.files:
                self._answer(404, b"", "text/plain")
            else:
                self._file(path)

        do_HEAD = do_GET

        def _file(self, path: str) -> None:
            content, begin = held.files[path], 0
            span = self.headers.get("Range", "")
            if held.ranges and span:
                begin = int(span.removeprefix("bytes=").removesuffix("-"))
                if begin >= len(content):
                    self._answer(416, b"", "text/plain")
                    return
            rest = content[begin:]
            after = held.cut.get(path) or [len(rest)]
            self._answer(206 if begin else 200, rest, held.types[path], most=after.pop(0))

        def _answer(
            self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None, most: int = -1
        ) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": kind, **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "HEAD":
                return
            part = body if most < 0 else body[:most]
            self.wfile.write(part)
            held.sent += len(part)
            if len(part) < len(body):
                self.close_connection = True

    with serving(Handler) as held.url:
        yield held
