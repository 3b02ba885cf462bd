"""A package index of a test's own: real wheels, by the protocol that uv asks an index by."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from tests.http_serving import Quiet, serving

_JSON = "application/vnd.pypi.simple.v1+json"


@dataclass
class Index:
    """What is published: file name → (content, time of its upload)."""

    url: str = ""
    files: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def publish(
        self,
        name: str,
        version: str,
        *requires: str,
        at: str = "2026-01-01T00:00:00Z",
        files: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Upload a wheel: without any module in it, or with these files (path → text)."""
        stem = f"{name.replace('-', '_')}-{version}"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        metadata += "".join(f"Requires-Dist: {it}\n" for it in requires)
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as wheel:
            # A time of its own, or the same wheel would be another one a second later.
            for file, text in (
                ("METADATA", metadata),
                ("WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
                ("RECORD", ""),
            ):
                wheel.writestr(zipfile.ZipInfo(f"{stem}.dist-info/{file}"), text)
            for file, text in files.items():
                wheel.writestr(zipfile.ZipInfo(file.replace("DIST-INFO", f"{stem}.dist-info")), text)
        self.files[f"{stem}-py3-none-any.whl"] = (buffer.getvalue(), at)

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """Content type and body of a path, or None."""
        parts = path.strip("/").split("/")
        if parts[0] == "files" and parts[-1] in self.files:
            return "application/octet-stream", self.files[parts[-1]][0]
        listed = [name for name in self.files if name.split("-")[0] == parts[-1].replace("-", "_")]
        if parts[0] != "simple" or not listed:
            return None
        body = {"meta": {"api-version": "1.1"}, "name": parts[-1], "files": [self._file(it) for it in listed]}
        return _JSON, json.dumps(body).encode()

    def _file(self, name: str) -> dict[str, Any]:
        content, at = self.files[name]
        digest = hashlib.sha256(content).hexdigest()
        return {"filename": name, "url": f"/files/{name}", "hashes": {"sha256": digest}, "upload-time": at}


@contextmanager
def index(address: str = "127.0.0.1") -> Iterator[Index]:
    """An index that answers at this address as long as the context lasts."""
    published = Index()

    class Handler(Quiet):
        def do_GET(self) -> None:
            found = published.answer(self.path)
            self.send_response(200 if found else 404)
            kind, body = found or ("text/plain", b"")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

    with serving(Handler, address) as url:
        published.url = f"{url}/simple"
        yield published
