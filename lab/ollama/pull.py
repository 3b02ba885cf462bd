"""Pulling a model from a registry by Ollama's protocol, as a stream of progress lines.

GET the manifest; for each blob that is not on disk HEAD (its size), GET for the direct address (the
`Location` header), GET with Range into `blobs/sha256-HEX-partial`; then check every new blob's sha256,
and write the manifest last. An interrupted pull goes on where the partial file ends. Blobs that are
there already are not verified again, as with the real one.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from .names import ModelName
from .store import Store

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

_RETRIES = 6
_STALL_SECONDS = 5.0
_CHUNK = 1 << 20
_REPORT_SECONDS = 0.1

_downloads: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


class PullError(Exception):
    """Why a pull failed, in Ollama's words."""


def pull(
    store: Store, name: ModelName, insecure: bool, *, no_prune: bool = False
) -> Iterator[dict[str, Any]]:
    """Pull a model and yield the lines of POST /api/pull; `PullError` says why it failed."""
    yield {"status": "pulling manifest"}
    if name.scheme == "http" and not insecure:
        raise PullError("insecure protocol http")
    base = f"{'http' if insecure else name.scheme}://{name.host}"
    repository = f"{base}/v2/{name.namespace}/{name.model}"
    raw = _manifest(f"{repository}/manifests/{name.tag}")
    try:
        manifest = json.loads(raw)
        layers = [*manifest["layers"], manifest["config"]]
        digests = [str(layer["digest"]) for layer in layers]
    except (ValueError, KeyError, TypeError) as error:
        raise PullError(f"pull model manifest: {error}") from None
    fetched = []
    for digest in digests:
        if not store.blob(digest).exists():
            fetched.append(digest)
        yield from _blob(store, f"{repository}/blobs/{digest}", digest)
    yield {"status": "verifying sha256 digest"}
    for digest in fetched:
        _verify(store.blob(digest), digest)
    yield {"status": "writing manifest"}
    before = store.get(name)
    store.write(name, raw)
    if before and not no_prune:
        store.drop_unreferenced(before.manifest)
    yield {"status": "success"}


def _manifest(url: str) -> bytes:
    try:
        with _request("GET", url, {"Accept": MANIFEST}) as response:
            if response.status == 404:
                raise PullError("pull model manifest: file does not exist")
            if response.status != 200:
                raise PullError(f"pull model manifest: {response.status}: {_text(response)}")
            return response.read()
    except (OSError, http.client.HTTPException) as error:
        raise PullError(f'pull model manifest: Get "{url}": {error}') from None


def _blob(store: Store, url: str, digest: str) -> Iterator[dict[str, Any]]:
    """Fetch one blob, unless it is there, and yield its progress."""
    path = store.blob(digest)
    line = {"status": f"pulling {digest.removeprefix('sha256:')[:12]}", "digest": digest}
    with _downloads[str(path)]:
        if path.exists():
            size = path.stat().st_size
            yield {**line, "total": size, "completed": size}
            return
        partial = path.with_name(f"{path.name}-partial")
        total, direct = _locate(url)
        yield {**line, "total": total}
        for attempt in range(_RETRIES + 1):
            try:
                for completed in _download(direct, partial, total):
                    yield {**line, "total": total, "completed": completed}
                break
            except (OSError, http.client.HTTPException) as error:
                if attempt == _RETRIES:
                    raise PullError(f"max retries exceeded: {error or 'EOF'}") from None
                time.sleep(0.1 * 2**attempt)
        partial.replace(path)


def _locate(url: str) -> tuple[int, str]:
    """Size of a blob and the address that serves it."""
    try:
        with _request("HEAD", url) as response:
            if response.status >= 400:
                missing = response.status == 404
                raise PullError("file does not exist" if missing else f"{response.status}: {_text(response)}")
            total = int(response.headers.get("Content-Length", 0))
        for _ in range(10):
            with _request("GET", url) as response:
                if response.status not in (200, 307):
                    raise PullError(f"unexpected status code {response.status}")
                location = response.headers.get("Location")
            if not location:
                raise PullError("http: no Location header in response")
            target = urljoin(url, location)
            # The real client follows a redirect within the host and stops at one that leaves it.
            if response.status == 200 or urlsplit(target).hostname != urlsplit(url).hostname:
                return total, target
            url = target
        raise PullError("maximum redirects exceeded (10) for directURL")
    except (OSError, http.client.HTTPException) as error:
        raise PullError(f'Get "{url}": {error}') from None


def _download(url: str, partial: Path, total: int) -> Iterator[int]:
    """Append to the partial file what it lacks, and yield how many bytes it has."""
    done = partial.stat().st_size if partial.exists() else 0
    if done > total:
        partial.unlink()
        done = 0
    if done == total:
        partial.touch()
        return
    reported = 0.0
    with (
        partial.open("ab") as file,
        _request("GET", url, {"Range": f"bytes={done}-{total - 1}"}) as response,
    ):
        if response.status != 206 and not (response.status == 200 and done == 0):
            raise http.client.HTTPException(f"unexpected status code {response.status}")
        while done < total:
            data = response.read1(_CHUNK)
            if not data:
                raise http.client.HTTPException("unexpected EOF")
            file.write(data)
            done += len(data)
            if time.monotonic() - reported > _REPORT_SECONDS or done == total:
                file.flush()
                reported = time.monotonic()
                yield done


def _verify(path: Path, digest: str) -> None:
    with path.open("rb") as file:
        got = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    if got != digest:
        path.unlink()
        raise PullError(f"digest mismatch, file must be downloaded again: want {digest}, got {got}")


class _request:
    """One request on a connection of its own, which ends with the `with` block."""

    def __init__(self, method: str, url: str, headers: dict[str, str] | None = None) -> None:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "https":
            context = ssl.create_default_context()
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=_STALL_SECONDS, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(host, port, timeout=_STALL_SECONDS)
        self._line = (method, parts.path + (f"?{parts.query}" if parts.query else ""))
        self._headers = {"User-Agent": "ollama/lab-stand-in", **(headers or {})}

    def __enter__(self) -> http.client.HTTPResponse:
        self._connection.request(*self._line, headers=self._headers)
        return self._connection.getresponse()

    def __exit__(self, *_: object) -> None:
        # The body may be unread (the real client does so too): do not wait for it.
        with contextlib.suppress(OSError):
            if self._connection.sock:
                self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()


def _text(response: http.client.HTTPResponse) -> str:
    return response.read(2000).decode(errors="replace").strip()
