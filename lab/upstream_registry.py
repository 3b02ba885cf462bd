"""The lab's registry of models: the part of registry.ollama.ai's protocol that pulling uses.

Its root has the layout of Ollama's own store below one registry: `manifests/NAMESPACE/MODEL/TAG` and
`blobs/sha256-HEX`. It differs in speaking plain HTTP (a pull says `insecure`) and in serving the blobs
itself, where the real one sends the client to a storage service: hence the `Location` of a blob is its
own address.
"""

from __future__ import annotations

import hashlib
import json
import re

from lab.upstream_http import FileHandler

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

_NAME = r"(?P<namespace>[\w.-]+)/(?P<model>[\w.-]+)"
_MANIFEST_PATH = re.compile(rf"/v2/{_NAME}/manifests/(?P<tag>[\w.-]+)\Z")
_BLOB_PATH = re.compile(rf"/v2/{_NAME}/blobs/sha256[:-](?P<hex>[0-9a-f]{{64}})\Z")


class RegistryHandler(FileHandler):
    """Serves manifests and blobs."""

    role = "registry"

    def respond(self, path: str, fault: str) -> None:
        """Send the manifest or the blob of this path, or the registry's JSON error."""
        if path in ("/v2", "/v2/"):
            self.send_text(200, "{}", "application/json")
        elif match := _MANIFEST_PATH.match(path):
            self._manifest(match["namespace"], match["model"], match["tag"], fault)
        elif match := _BLOB_PATH.match(path):
            self._blob(path, match["hex"], fault)
        else:
            self.send_text(404, "404 page not found\n")

    def transfers(self, path: str) -> bool:
        """Of a blob the first GET only asks for the `Location`: ranges fetch it."""
        return super().transfers(path) and ("Range" in self.headers or not _BLOB_PATH.match(path))

    def _manifest(self, namespace: str, model: str, tag: str, fault: str) -> None:
        file = self.server.root / "manifests" / namespace / model / tag
        if not file.is_file():
            self._error("MANIFEST_UNKNOWN", "manifest unknown", {"Tag": tag})
            return
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        headers = {"Docker-Content-Digest": f"sha256:{digest}"}
        self.send_file(file, MANIFEST, headers, fault)

    def _blob(self, path: str, digest: str, fault: str) -> None:
        file = self.server.root / "blobs" / f"sha256-{digest}"
        if not file.is_file():
            self._error("BLOB_UNKNOWN", "blob unknown to registry", {"Digest": f"sha256:{digest}"})
            return
        headers = {"Docker-Content-Digest": f"sha256:{digest}", "Location": path}
        self.send_file(file, "application/octet-stream", headers, fault)

    def _error(self, code: str, message: str, detail: dict[str, str]) -> None:
        errors = [{"code": code, "message": message, "detail": detail}]
        self.send_text(404, json.dumps({"errors": errors}), "application/json")
