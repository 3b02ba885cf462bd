"""A gated model comes to a store and into a bundle by a token, which is shown to its hub alone."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from engine import remote
from fleet.bundle.download import Session, fetch
from fleet.bundle.fault import BundleError
from roles.store.deploy import MODULES
from roles.store.server import SCRIPTS
from tests.http_serving import Quiet, serving

WEIGHTS = b"weights" * 10_000
DIGEST = f"sha256:{hashlib.sha256(WEIGHTS).hexdigest()}"
TOKEN = "hf_of_somebody"


@dataclass
class Hub:
    """A hub behind a gate, which sends to another place for large files, as Hugging Face's does."""

    url: str = ""
    elsewhere: str = ""
    shown: list[tuple[str, str | None]] = field(default_factory=list)  # place, token

    @property
    def file(self) -> str:
        """Where the weights are asked for."""
        return f"{self.url}/lab/model/resolve/0/model.safetensors"


@pytest.fixture
def hub() -> Iterator[Hub]:
    """One that answers."""
    made = Hub()

    class Elsewhere(Quiet):
        def do_GET(self) -> None:
            made.shown.append(("elsewhere", self.headers["Authorization"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(WEIGHTS)))
            self.end_headers()
            self.wfile.write(WEIGHTS)

    class Gate(Quiet):
        def do_GET(self) -> None:
            token = self.headers["Authorization"]
            made.shown.append(("hub", token))
            self.send_response(302 if token == f"Bearer {TOKEN}" else 401)
            self.send_header("Location", f"{made.elsewhere}/blob")
            self.send_header("Content-Length", "0")
            self.end_headers()

    with ExitStack() as stack:
        made.url = stack.enter_context(serving(Gate))
        # Of another name: tokens are of hosts, whatever their ports.
        made.elsewhere = stack.enter_context(serving(Elsewhere)).replace("127.0.0.1", "localhost")
        yield made


def _filled(hub: Hub, folder: Path, token: str) -> subprocess.CompletedProcess[str]:
    """A store's job, which wants the weights, with this token."""
    root, job, tokens = folder / "store", folder / "job", folder / "tokens.json"
    (root / "wanted").mkdir(parents=True)
    job.mkdir()
    item: dict[str, Any] = {"kind": "file", "name": "model.safetensors of lab/model", "digests": [DIGEST]}
    item |= {"size": len(WEIGHTS), "origins": [hub.file], "face": "files/model", "fits": [], "unpinned": ""}
    (root / "items.json").write_text(json.dumps({"id": item}), encoding="utf-8")
    (root / "wanted" / "box.json").write_text(json.dumps(["id"]), encoding="utf-8")
    if token:
        tokens.write_text(json.dumps({hub.url: token}), encoding="utf-8")
    program = remote.program("fill.py", MODULES, SCRIPTS)
    return subprocess.run(
        [sys.executable, "-I", "-c", program, str(root / "filled"), str(tokens)],
        env={**os.environ, "VENOM_STORE": str(root), "JOB": str(job)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_store_shows_the_hub_the_token_and_nobody_else(hub: Hub, tmp_path: Path) -> None:
    done = _filled(hub, tmp_path, TOKEN)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "store" / "tree" / "files" / "model").read_bytes() == WEIGHTS
    assert hub.shown == [("hub", f"Bearer {TOKEN}"), ("elsewhere", None)]


def test_without_a_token_a_store_names_what_the_hub_refuses(hub: Hub, tmp_path: Path) -> None:
    done = _filled(hub, tmp_path, "")
    assert done.returncode == 1
    assert "not had: model.safetensors of lab/model" in done.stderr
    assert f"{hub.file} answered 401" in done.stderr


def test_a_bundle_has_it_by_the_token(hub: Hub, tmp_path: Path) -> None:
    kept = fetch(Session({hub.url: TOKEN}), "the weights", [hub.file], DIGEST, tmp_path / "kept")
    assert kept.read_bytes() == WEIGHTS
    assert hub.shown == [("hub", f"Bearer {TOKEN}"), ("elsewhere", None)]
    with pytest.raises(BundleError, match="answered 401"):
        fetch(Session(), "the weights", [hub.file], DIGEST, tmp_path / "other")
