"""An Ollama of a release file, on a loopback port of this machine: started, asked, ended."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SERVES_SECONDS = 60


@dataclass(frozen=True)
class Release:
    """An unpacked release."""

    folder: Path
    version: str
    genuine: bool

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command of it, in this environment and no other."""
        return subprocess.run(
            [self.folder / "bin" / "ollama", *arguments],
            env={"PATH": "/usr/bin:/bin", **environment},
            capture_output=True, text=True, check=False, timeout=_SERVES_SECONDS,
        )  # fmt: skip

    @contextmanager
    def serving(self, folder: Path, **environment: str) -> Iterator[Server]:
        """A server on a free port, with HOME and store below `folder`, until the block ends."""
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        env = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "OLLAMA_HOST": f"127.0.0.1:{port}",
            "OLLAMA_MODELS": str(folder / "models"),
            "OLLAMA_NO_CLOUD": "1",
            **environment,
        }
        log = folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [self.folder / "bin" / "ollama", "serve"], env=env, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip
        server = Server(self, folder, port, env, process)
        try:
            server.await_serving()
            yield server
        finally:
            server.end()


@dataclass(frozen=True)
class Server:
    """A running Ollama."""

    release: Release
    folder: Path
    port: int
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes]
    begun: list[http.client.HTTPConnection] = field(default_factory=list)  # kept open

    @property
    def models(self) -> Path:
        """Its store."""
        return Path(self.environment["OLLAMA_MODELS"])

    @property
    def blobs(self) -> set[str]:
        """The names of the blobs in its store."""
        return {path.name for path in (self.models / "blobs").iterdir()}

    @property
    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / "log").read_text(errors="replace")

    def await_serving(self) -> None:
        """Wait until it answers; AssertionError with its log where it does not."""
        self.until(self._serves)

    def _serves(self) -> bool:
        try:
            self.ask("/api/version")
        except OSError:
            assert self.process.poll() is None, self.log
            return False
        return True

    def end(self) -> int:
        """End it as systemd does, runners included; its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(timeout=20)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def kill(self) -> None:
        """End it as a cut of power does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def begin(self, path: str, body: Any) -> None:
        """Send a request, and do not wait for what it answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request("POST", path, json.dumps(body))
        self.begun.append(connection)

    def ask(self, path: str, body: Any = None, method: str = "", host: str = "") -> tuple[int, str]:
        """Status and text of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        headers = {"Host": host} if host else {}
        method = method or ("GET" if body is None else "POST")
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def json(self, path: str, body: Any = None) -> Any:
        """The JSON of an answer with status 200."""
        status, text = self.ask(path, body)
        assert status == 200, text
        return json.loads(text)

    def lines(self, path: str, body: Any) -> list[dict[str, Any]]:
        """The lines of an answer that streams."""
        status, text = self.ask(path, body)
        assert status == 200, text
        return [json.loads(line) for line in text.splitlines()]

    def pull(self, name: str) -> list[dict[str, Any]]:
        """The lines of a pull by plain HTTP."""
        return self.lines("/api/pull", {"model": name, "insecure": True})

    def until(self, met: Callable[[], bool]) -> None:
        """Wait until it is so; AssertionError with the log where it does not get so."""
        deadline = time.monotonic() + _SERVES_SECONDS
        while not met():
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def until_unloaded(self) -> None:
        """Wait until no model is in memory."""
        self.until(lambda: self.json("/api/ps") == {"models": []})

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of the same release that talks to this server."""
        return self.release.run(*arguments, **self.environment)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return int(it.getsockname()[1])
