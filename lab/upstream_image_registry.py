"""The lab's registry of container images: Debian's docker-registry, and a door to it that makes faults.

The registry itself is on port 5001, for pulls and for pushes. Port 5002 answers pulls out of the same
store like the lab's other servers: with faults on request, and every request in their log.
"""

from __future__ import annotations

import json
import shutil
import time

import requests

from lab import network, upstream_images
from lab import upstream_work as work
from lab.processes import Background
from lab.state import STATE, LabError, machine, tail, write_whole
from lab.upstream_http import FileHandler
from lab.upstream_images import Manifest

PORT = 5001
DOOR_PORT = 5002

_HOME = STATE / "images"  # the program, its configuration, and what was pushed
STORE = _HOME / "store" / "docker" / "registry" / "v2"
_PROGRAM = _HOME / "usr" / "bin" / "docker-registry"
_PROCESS = Background(STATE / "run" / "images.json", STATE / "run" / "images.log")
_HERE = f"http://{network.GATEWAY}:{PORT}/v2/{upstream_images.NAME}"
_SECONDS = 30.0

_CONFIGURATION = f"""\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {_HOME / "store"}}}
  delete: {{enabled: true}}
http:
  addr: {network.GATEWAY}:{PORT}
  secret: one-registry-alone-needs-none
"""


def ensure() -> None:
    """Have it run and hold the prepared images. It is a process of its own: others push and pull too."""
    if not _PROGRAM.exists():
        _fetch()
    if _PROCESS.pid is None or _PROCESS.note != _CONFIGURATION:
        _PROCESS.stop()
        write_whole(_HOME / "config.yml", _CONFIGURATION)
        command = [str(_PROGRAM), "serve", str(_HOME / "config.yml")]
        _PROCESS.start(command, note=_CONFIGURATION)
    with requests.Session() as session:
        session.trust_env = False  # no proxy stands between the lab and itself
        _wait(session)
        for image in upstream_images.prepared():
            kind = {"Accept": image.kind}
            there = session.head(f"{_HERE}/manifests/{image.tag}", headers=kind, timeout=_SECONDS)
            if there.headers.get("Docker-Content-Digest") != image.digest:
                _push(session, image)


def stop() -> None:
    """End it if it runs."""
    _PROCESS.stop()


def _wait(session: requests.Session) -> None:
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            session.get(f"http://{network.GATEWAY}:{PORT}/v2/", timeout=_SECONDS).raise_for_status()
            return
        except requests.RequestException as error:
            if _PROCESS.pid is None or time.monotonic() > deadline:
                reason = f"{error}\n{tail(_PROCESS.log)}"
                raise LabError(f"the lab's registry of images does not serve: {reason}") from None
            time.sleep(0.1)


def _push(session: requests.Session, image: Manifest) -> None:
    for digest in image.blobs:
        if session.head(f"{_HERE}/blobs/{digest}", timeout=_SECONDS).status_code == 200:
            continue
        started = session.post(f"{_HERE}/blobs/uploads/", timeout=_SECONDS)
        started.raise_for_status()
        with (upstream_images.BLOBS / digest[7:]).open("rb") as blob:
            session.put(
                started.headers["Location"], params={"digest": digest}, data=blob, timeout=_SECONDS
            ).raise_for_status()
    kinds = dict.fromkeys(image.manifests, upstream_images.MANIFEST)
    for name, kind in {**kinds, image.tag: image.kind}.items():
        text = (upstream_images.BLOBS / (image.digest if name == image.tag else name)[7:]).read_bytes()
        session.put(
            f"{_HERE}/manifests/{name}", data=text, headers={"Content-Type": kind}, timeout=_SECONDS
        ).raise_for_status()


def _fetch() -> None:
    """Unpack Debian's package without installing it: its service would take the models' port."""
    with work.workspace() as folder:
        try:
            machine(["sh", "-c", 'cd "$0" && apt-get download -qq docker-registry', folder])
        except LabError as error:
            raise LabError(
                f"the registry of images is Debian's docker-registry: apt-get update\n{error}"
            ) from None
        (package,) = folder.glob("docker-registry_*.deb")
        machine(["dpkg-deb", "--extract", package, folder / "whole"])
        _PROGRAM.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder / "whole" / "usr" / "bin" / _PROGRAM.name, _PROGRAM)


class ImagesHandler(FileHandler):
    """The door: manifests and blobs for those who pull."""

    role = "images"

    def respond(self, path: str, fault: str) -> None:
        """Send the manifest or the blob of this path, or the registry's JSON error."""
        if path in ("/v2", "/v2/"):
            self.send_text(200, "{}", "application/json")
            return
        name, kind, reference = (path.removeprefix("/v2/").rsplit("/", 2) + ["", ""])[:3]
        known = self.server.root / "repositories" / name
        digest = reference
        if kind == "manifests" and not reference.startswith("sha256:"):
            tag = known / "_manifests" / "tags" / reference / "current" / "link"
            digest = tag.read_text() if tag.is_file() else ""
        folder = {"manifests": "_manifests/revisions", "blobs": "_layers"}.get(kind)
        linked = known / str(folder) / digest.replace(":", "/") / "link"
        value = digest.removeprefix("sha256:")
        blob = self.server.root / "blobs" / "sha256" / value[:2] / value / "data"
        if not folder or not linked.is_file() or not linked.resolve().is_relative_to(self.server.root):
            code = "MANIFEST_UNKNOWN" if kind == "manifests" else "BLOB_UNKNOWN"
            error = {"code": code, "message": "unknown to registry", "detail": {"reference": reference}}
            self.send_text(404, json.dumps({"errors": [error]}), "application/json")
            return
        media = "application/octet-stream"
        if kind == "manifests":
            media = json.loads(blob.read_text())["mediaType"]
        self.send_file(blob, media, {"Docker-Content-Digest": digest}, fault)
