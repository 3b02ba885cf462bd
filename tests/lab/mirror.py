"""A web server of a test's own, on the lab's bridge: a mirror that answers as the test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lab import network
from tests.http_serving import Quiet, serving

# Path → what is sent; None: it is not there.
Answers = Callable[[str], bytes | None]


@contextmanager
def mirror(answers: Answers) -> Iterator[str]:
    """Serve what `answers` says of each path; yields the address."""

    class Handler(Quiet):
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

    with serving(Handler, str(network.GATEWAY)) as url:
        yield url
