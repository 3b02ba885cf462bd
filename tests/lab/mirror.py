"""A web server of a test's own, on the lab's bridge: a mirror that answers as the test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from lab import network

# Path → what is sent; None: it is not there.
Answers = Callable[[str], bytes | None]


@contextmanager
def mirror(answers: Answers) -> Iterator[str]:
    """Serve what `answers` says of each path; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers(self.path)
            self.send_response(200 if body is not None else 404)
            self.send_header(
                "Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream"
            )
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body or b"")

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer((str(network.GATEWAY), 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://{network.GATEWAY}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
