"""A model of the hub is laid down whole, by digest; the hub alone is shown a token."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine import remote
from roles.trees import deploy as trees
from schemas.model import Tree, TreeFile
from tests.http_serving import Quiet, serving

FILES = {"config.json": b"{}", "empty": b"", "sub/model.safetensors": b"weights" * 10_000}
HEADER = 'header = "Authorization: Bearer hf_of_somebody"\n'


@dataclass
class Hub:
    """What a mirror without anything and a hub behind a gate were asked for."""

    url: str = ""
    damaged: bool = False  # whether the hub sends other bytes of the large file
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def answer(self, path: str, authorization: str | None) -> tuple[int, bytes]:
        self.asked.append((path, authorization))
        content = FILES.get(path.removeprefix("/hub/"))
        if content is None or not path.startswith("/hub/"):
            return 404, b""
        if authorization != "Bearer hf_of_somebody":
            return 401, b""
        return 200, b"other" if self.damaged and len(content) > 10 else content


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub()

    class Handler(Quiet):
        def do_GET(self) -> None:
            status, body = made.answer(self.path, self.headers["Authorization"])
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with serving(Handler) as made.url:
        yield made


@dataclass(frozen=True)
class Laying:
    """The job, as a host runs it."""

    folder: Path
    hub: Hub

    @property
    def tree(self) -> Path:
        return self.folder / "trees" / "model-0"

    @property
    def token(self) -> Path:
        return self.folder / "token-vllm"

    def run(self, *, gated: bool = True) -> subprocess.CompletedProcess[str]:
        files = [
            TreeFile(
                path,
                hashlib.sha256(content).hexdigest(),
                len(content),
                (f"{self.hub.url}/mirror/{path}", f"{self.hub.url}/hub/{path}"),
            )
            for path, content in FILES.items()
        ]
        tree = Tree("a/model", "0" * 40, tuple(files), str(self.tree), f"{self.hub.url}/hub")
        job = trees.tree_job("vllm", tree, gated=gated)
        self.token.write_text(HEADER)
        return subprocess.run(
            ["bash", "-s"],
            input=f"{remote.script('job.sh')}\n{job.script}",
            env={**os.environ, "JOB": str(self.folder)},
            text=True,
            capture_output=True,
            check=False,
        )

    def laid(self, folder: Path) -> dict[str, bytes]:
        found = (it for it in folder.rglob("*") if it.is_file())
        return {it.relative_to(folder).as_posix(): it.read_bytes() for it in found}


@pytest.fixture
def laying(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Laying:
    monkeypatch.setattr(trees, "TOKEN", str(tmp_path / "token-%s"))
    return Laying(tmp_path, hub)


def test_it_is_there_whole_and_the_token_was_shown_to_the_hub_alone(laying: Laying) -> None:
    done = laying.run()
    assert done.returncode == 0, done.stderr
    assert laying.laid(laying.tree) == FILES
    assert laying.tree.stat().st_mode & 0o777 == 0o755
    assert not laying.token.exists()
    shown = {path.split("/")[1]: authorization for path, authorization in laying.hub.asked}
    assert shown == {"mirror": None, "hub": "Bearer hf_of_somebody"}
    asked = len(laying.hub.asked)
    assert laying.run().returncode == 0
    assert len(laying.hub.asked) == asked


def test_what_has_other_bytes_keeps_it_away_and_what_was_whole_is_not_fetched_again(laying: Laying) -> None:
    laying.hub.damaged = True
    failed = laying.run()
    assert failed.returncode == 1
    assert "model.safetensors could not be had from any source: nothing of it is in place" in failed.stderr
    assert not laying.tree.exists()
    assert not laying.token.exists()
    whole = {path: content for path, content in FILES.items() if "/" not in path}
    assert laying.laid(laying.tree.with_name("model-0.part")) == whole
    laying.hub.damaged = False
    asked = len(laying.hub.asked)
    assert laying.run().returncode == 0
    assert {path for path, _ in laying.hub.asked[asked:]} == {
        f"/{it}/sub/model.safetensors" for it in ("mirror", "hub")
    }
    assert laying.laid(laying.tree) == FILES


def test_a_gate_that_no_token_opens_says_what_to_do(laying: Laying) -> None:
    failed = laying.run(gated=False)
    assert failed.returncode == 1
    assert (
        "do        accept its terms there, and name a token that may read it: HF_TOKEN in secrets"
        in failed.stderr
    )
    assert not laying.tree.exists()
