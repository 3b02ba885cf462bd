"""Pulling: what Ollama asks a registry for, what it says meanwhile, and what is in its store then."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from lab.upstream_http import Fault, Upstream
from tests.lab.ollama.conftest import WEIGHTS
from tests.lab.ollama.server import Release, Server
from tests.lab.provisioning import until

DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


def name_at(registry: Upstream, tag: str = "270m") -> str:
    """The model's name at this registry."""
    return f"127.0.0.1:{registry.server_port}/library/gemma3:{tag}"


def requests(registry: Upstream) -> list[dict[str, Any]]:
    """What the registry was asked for."""
    return [json.loads(line) for line in (registry.root.parent / "requests.log").read_text().splitlines()]


def test_a_pull_takes_manifest_and_blobs_reports_each_and_keeps_the_manifest_as_sent(
    empty: Server, registry: Upstream
) -> None:
    lines = empty.pull(name_at(registry))
    statuses = [line["status"] for line in lines if "digest" not in line]
    assert statuses == ["pulling manifest", "verifying sha256 digest", "writing manifest", "success"]
    reports = [line for line in lines if line.get("digest") == f"sha256:{DIGEST}"]
    assert reports[-1] == {
        "status": f"pulling {DIGEST[:12]}",
        "digest": f"sha256:{DIGEST}",
        "total": len(WEIGHTS),
        "completed": len(WEIGHTS),
    }
    # A request is logged once it was answered: those of two connections in either order.
    until(lambda: len(requests(registry)) >= 1 + 3 * 4, 10)
    by_blob: dict[str, list[tuple[str, int]]] = {}
    for it in requests(registry):
        of = it["path"].rpartition("/")[2].partition(":")[2][:12] or "manifest"
        by_blob.setdefault(of, []).append((it["method"], it["status"]))
    assert next(iter(by_blob)) == "manifest"
    assert by_blob.pop("manifest") == [("GET", 200)]
    assert len(by_blob) == 4
    # Of each blob: its size, a direct address, its bytes.
    assert all(sorted(of) == [("GET", 200), ("GET", 206), ("HEAD", 200)] for of in by_blob.values())
    assert DIGEST[:12] in by_blob
    sent = (registry.root / "manifests/library/gemma3/270m").read_bytes()
    host = f"127.0.0.1:{registry.server_port}"
    assert (empty.models / "manifests" / host / "library/gemma3/270m").read_bytes() == sent
    [tag] = empty.json("/api/tags")["models"]
    assert (tag["name"], tag["model"]) == (name_at(registry), name_at(registry))
    assert tag["digest"] == hashlib.sha256(sent).hexdigest()

    # A second pull takes the manifest and nothing else: what is there is not even looked at.
    (empty.models / "blobs" / f"sha256-{DIGEST}").write_bytes(b"something else")
    before = len(requests(registry))
    again = empty.pull(name_at(registry))
    assert again[-1] == {"status": "success"}
    # A request is logged once it was answered.
    until(lambda: len(requests(registry)) > before, 10)
    assert [it["method"] for it in requests(registry)[before:]] == ["GET"]
    assert (empty.models / "blobs" / f"sha256-{DIGEST}").read_bytes() == b"something else"

    # What is no model is found out when somebody asks for it.
    for path, status, error in (
        ("/api/show", 500, "invalid file magic"),
        ("/api/generate", 400, f'"{name_at(registry)}" does not support generate'),
        ("/api/chat", 400, f'"{name_at(registry)}" does not support chat'),
    ):
        body = {"model": name_at(registry), "prompt": "x", "messages": [{"role": "user", "content": "x"}]}
        answer = empty.ask(path, body)
        assert (answer[0], json.loads(answer[1])) == (status, {"error": error})

    # A second name is a second manifest; a blob goes with the last name that has it.
    plain = "gemma3:270m"
    assert empty.ask("/api/copy", {"source": name_at(registry), "destination": plain}) == (200, "")
    assert {it["name"] for it in empty.json("/api/tags")["models"]} == {plain, name_at(registry)}
    assert empty.ask("/api/delete", {"model": name_at(registry)}, "DELETE")[0] == 200
    assert len(empty.blobs) == 4
    assert empty.ask("/api/delete", {"model": plain}, "DELETE")[0] == 200
    assert empty.blobs == set()
    gone = json.dumps({"error": f"model '{plain}' not found"})
    status, text = empty.ask("/api/delete", {"model": plain}, "DELETE")
    assert (status, json.loads(text)) == (404, json.loads(gone))


def test_what_cannot_be_had_is_a_line_with_an_error_under_status_200(
    empty: Server, registry: Upstream
) -> None:
    assert empty.pull(name_at(registry, "9b")) == [
        {"status": "pulling manifest"},
        {"error": "pull model manifest: file does not exist"},
    ]
    registry.faults.replace([Fault("busy", contains="manifests")])
    assert empty.pull(name_at(registry))[-1]["error"].startswith("pull model manifest: 503: busy")
    for kind, error in (("gone", "file does not exist"), ("busy", "503: ")):
        registry.faults.replace([Fault(kind, contains=DIGEST)])
        assert empty.pull(name_at(registry))[-1] == {"error": error}
    # By https, unless the request says that the registry is insecure.
    lines = empty.lines("/api/pull", {"model": name_at(registry)})
    assert lines[-1]["error"].startswith('pull model manifest: Get "https://')
    assert empty.json("/api/tags") == {"models": []}
    assert empty.blobs == set()
    # Without a stream the same is a status.
    status, text = empty.ask(
        "/api/pull", {"model": name_at(registry, "9b"), "insecure": True, "stream": False}
    )
    assert (status, json.loads(text)) == (500, {"error": "pull model manifest: file does not exist"})


def test_a_name_that_is_none_is_refused_at_once(empty: Server) -> None:
    for name in ("a/b/c/d/e", "gem ma", ""):
        status, text = empty.ask("/api/pull", {"model": name})
        assert (status, json.loads(text)) == (400, {"error": "invalid model name"})
    status, text = empty.ask("/api/copy", {"source": "nothing", "destination": "x"})
    assert (status, json.loads(text)) == (404, {"error": 'model "nothing" not found'})


def test_a_download_that_breaks_off_goes_on_where_it_ended(empty: Server, registry: Upstream) -> None:
    registry.faults.replace([Fault("truncate", contains=DIGEST, times=2)])
    assert empty.pull(name_at(registry))[-1] == {"status": "success"}
    broken = [it["bytes"] for it in requests(registry) if it.get("fault")]
    assert broken == [len(WEIGHTS) // 2, len(WEIGHTS) // 4]


def test_wrong_bytes_are_refused_in_the_end_and_nothing_of_them_stays(
    empty: Server, registry: Upstream
) -> None:
    registry.faults.replace([Fault("wrong", contains=DIGEST)])
    last = empty.pull(name_at(registry))[-1]
    assert last["error"].startswith(
        f"digest mismatch, file must be downloaded again: want sha256:{DIGEST}, got sha256:"
    )
    assert empty.json("/api/tags") == {"models": []}
    # The other three were right, and stay.
    assert f"sha256-{DIGEST}" not in empty.blobs
    assert len(empty.blobs) == 3


def test_a_pull_that_is_killed_goes_on_where_it_was(
    release: Release, registry: Upstream, tmp_path: Path
) -> None:
    registry.faults.replace([Fault("hang", contains=DIGEST)])
    with release.serving(tmp_path / "ollama", OLLAMA_NOPRUNE="1") as server:
        body = {"model": name_at(registry), "insecure": True}
        server.begin("/api/pull", body)
        server.until(lambda: any("partial" in name for name in server.blobs))
        server.kill()
    registry.faults.replace([])
    assert any(DIGEST in name for name in server.blobs)
    with release.serving(tmp_path / "ollama", OLLAMA_NOPRUNE="1") as server:
        assert server.pull(name_at(registry))[-1] == {"status": "success"}
        assert {name for name in server.blobs if "partial" in name} == set()
        assert (server.models / "blobs" / f"sha256-{DIGEST}").read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("setting", "hours", "stays"), [("", 0, True), ("", 2, False), ("1", 2, True)], ids=str
)
def test_its_start_removes_old_blobs_that_no_manifest_names(
    release: Release, tmp_path: Path, setting: str, hours: int, stays: bool
) -> None:
    stray = tmp_path / "models" / "blobs" / f"sha256-{'0' * 64}"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"of nobody")
    old = time.time() - hours * 3600
    os.utime(stray, (old, old))
    with release.serving(tmp_path, OLLAMA_NOPRUNE=setting):
        assert stray.exists() is stays
