"""The command line of the stand-in: serve, list, ps, pull, rm, cp, show, --version."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import version
from .engine import LlamaEngine
from .server import Server
from .settings import NoHome, Settings

USAGE = "usage: ollama serve | list | ps | pull MODEL | rm MODEL | cp FROM TO | show MODEL | --version"

# Start-up removes unreferenced blobs that are this old, seconds: 0.16.1 all of them at once.
_PRUNE_SECONDS = 0.0 if version.RELEASE == "0.16.1" else 3600.0


# What Go writes where a program has no way on.
_PANIC = """\
panic: $HOME is not defined

goroutine 1 [running]:
github.com/ollama/ollama/envconfig.Models()
\tlab stand-in, not Ollama"""


class CommandError(Exception):
    """The text after "Error: ", exit status 1."""


def main(argv: Sequence[str]) -> int:
    """Run one command; its exit status."""
    commands: dict[str, Callable[[Settings, Sequence[str]], None]] = {
        "serve": _serve,
        "list": _list,
        "ps": _ps,
        "pull": _pull,
        "rm": _rm,
        "cp": _cp,
        "show": _show,
    }
    name, *rest = argv or ["--help"]
    # The real one reads all of its settings before it looks at the command.
    if not os.environ.get("HOME") and not os.environ.get("OLLAMA_MODELS"):
        print(_PANIC, file=sys.stderr)
        return 2
    try:
        if name in ("--version", "-v"):
            _version()
        elif name in commands:
            commands[name](Settings.read(), rest)
        else:
            print(USAGE)
            return 0 if name in ("--help", "-h", "help") else 1
    except (CommandError, NoHome) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def _serve(settings: Settings, _: Sequence[str]) -> None:
    _keypair(settings)
    try:
        server = Server(settings, LlamaEngine)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise CommandError(f"listen tcp {where}: bind: {(error.strerror or '').lower()}") from None
    store = server.api.store
    try:
        store.create()
        if not settings.no_prune:
            _log(f"total unused blobs removed: {store.prune(_PRUNE_SECONDS)}")
    except OSError as error:
        reason = f"{(error.strerror or '').lower()}: ensure path elements are traversable"
        raise CommandError(f"mkdir {_culprit(Path(error.filename))}: {reason}") from None
    for message, fields in settings.warnings:
        _log(message, "WARN", fields)
    shown = {name: value for name, value in sorted(os.environ.items()) if name.startswith("OLLAMA_")}
    _log(f"server config env={json.dumps(shown)}")
    _log(f"Listening on {settings.host}:{settings.port} (version {version.SPOKEN})")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    sys.stdout.flush()
    os._exit(0)  # a generation that still runs must not hold up the stop


def _keypair(settings: Settings) -> None:
    """Make HOME/.ollama, where the real server keeps its key pair and without which it ends."""
    if settings.home is None:
        raise CommandError("$HOME is not defined")
    key = settings.home / ".ollama" / "id_ed25519"
    try:
        key.stat()
    except NotADirectoryError:
        return  # the store will show
    except FileNotFoundError:
        pass
    else:
        return
    print(f"Couldn't find '{key}'. Generating new private key.", file=sys.stderr)
    try:
        key.parent.mkdir(parents=True, exist_ok=True)
        for name, mode in (("id_ed25519", 0o600), ("id_ed25519.pub", 0o644)):
            path = key.with_name(name)
            path.write_text("The stand-in needs no key; the real Ollama keeps its own here.\n")
            path.chmod(mode)
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise CommandError(f"could not create directory mkdir {key.parent}: {reason}") from None


def _culprit(path: Path) -> Path:
    """Which part of a path is in the way, as Go names it: the first that is no directory."""
    parts = [*reversed(path.parents), path]
    return next((it for it in parts if it.exists() and not it.is_dir()), path)


def _log(text: str, level: str = "INFO", fields: str = "") -> None:
    line = f"time={datetime.now(UTC).isoformat()} level={level} msg={json.dumps(text)} {fields}"
    print(line.rstrip(), file=sys.stderr)


def _version() -> None:
    try:
        reported = _ask(Settings.read(), "GET", "/api/version")["version"]
    except (CommandError, NoHome):
        print("Warning: could not connect to a running Ollama instance")
        print(f"Warning: client version is {version.SPOKEN}")
        return
    spoken = version.SPOKEN if reported == version.RELEASE else reported
    print(f"ollama version is {spoken}")
    if reported != version.RELEASE:
        print(f"Warning: client version is {version.SPOKEN}")


def _list(settings: Settings, _: Sequence[str]) -> None:
    models = _ask(settings, "GET", "/api/tags")["models"]
    rows = [
        (model["name"], model["digest"][:12], _size(model["size"]), model["modified_at"][:19])
        for model in models
    ]
    _table(("NAME", "ID", "SIZE", "MODIFIED"), rows)


def _ps(settings: Settings, _: Sequence[str]) -> None:
    rows = [
        (
            model["name"],
            model["digest"][:12],
            _size(model["size"]),
            "100% CPU",
            str(model["context_length"]),
            model["expires_at"][:19],
        )
        for model in _ask(settings, "GET", "/api/ps")["models"]
    ]
    _table(("NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"), rows)


def _pull(settings: Settings, arguments: Sequence[str]) -> None:
    names = [argument for argument in arguments if not argument.startswith("-")]
    body = {"model": _one(names), "insecure": "--insecure" in arguments}
    status = ""
    for line in _lines(settings, "POST", "/api/pull", body):
        if "error" in line:
            raise CommandError(line["error"])
        if line["status"] != status:
            status = line["status"]
            print(status, flush=True)


def _rm(settings: Settings, names: Sequence[str]) -> None:
    for name in names:
        _ask(settings, "DELETE", "/api/delete", {"model": name})
        print(f"deleted '{name}'")


def _cp(settings: Settings, names: Sequence[str]) -> None:
    source, destination = names
    _ask(settings, "POST", "/api/copy", {"source": source, "destination": destination})
    print(f"copied '{source}' to '{destination}'")


def _show(settings: Settings, names: Sequence[str]) -> None:
    print(json.dumps(_ask(settings, "POST", "/api/show", {"model": _one(names)}), indent=2))


def _one(names: Sequence[str]) -> str:
    if len(names) != 1:
        raise CommandError(f"accepts 1 arg(s), received {len(names)}")
    return names[0]


def _ask(settings: Settings, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """One request to the server that runs; its last line of JSON."""
    last: dict[str, Any] = {}
    for last in _lines(settings, method, path, body):
        if "error" in last:
            raise CommandError(str(last["error"]))
    return last


def _lines(settings: Settings, method: str, path: str, body: Any = None) -> Iterator[dict[str, Any]]:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    connection = http.client.HTTPConnection(host, settings.port)
    try:
        payload = None if body is None else json.dumps(body)
        connection.request(method, path, payload, {"Content-Type": "application/json"})
        for line in connection.getresponse():
            if line.strip():
                yield json.loads(line)
    except OSError:
        text = "could not connect to ollama server, run 'ollama serve' to start it"
        raise CommandError(text) from None
    finally:
        connection.close()


def _size(count: int) -> str:
    return f"{count / 1e6:.0f} MB"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("    ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))
