"""A pin of a model's tree: a commit and the digest of every file, from the hub or from a folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from engine.refusal import RefusedError
from fleet.pin import main, pin
from schemas.data.pins import load
from tests.http_serving import Quiet, serving

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONFIG = {"num_hidden_layers": 34, "num_key_value_heads": 4, "num_attention_heads": 8, "head_dim": 256}
FILES = {
    "config.json": json.dumps({"text_config": CONFIG}).encode(),
    "model.safetensors": b"weights",
    "sub/tokenizer.json": b"{}",
}
TOKEN = "hf_of_somebody"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def hub() -> Iterator[str]:
    """One that asks for a token for `a/gated`, and never sends what is large."""

    class Handler(Quiet):
        def do_GET(self) -> None:
            status, body = self.found()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def found(self) -> tuple[int, bytes]:
            if "/gated/" in self.path and self.headers["Authorization"] != f"Bearer {TOKEN}":
                return 401, b""
            if "/api/models/" in self.path:
                large = {"sha256": digest(FILES["model.safetensors"]), "size": 7}
                siblings = [
                    {"rfilename": path, **({"lfs": large} if path.endswith(".safetensors") else {})}
                    for path in FILES
                ]
                return 200, json.dumps({"sha": COMMIT, "siblings": siblings}).encode()
            path = self.path.partition(f"/resolve/{COMMIT}/")[2]
            small = path in FILES and not path.endswith(".safetensors")
            return (200, FILES[path]) if small else (404, b"")

    with serving(Handler) as url:
        yield url


def snapshot(folder: Path) -> Path:
    """The tree as the hub's tools leave it: links by name, named by its commit."""
    for path, content in FILES.items():
        blob = folder / "blobs" / digest(content)
        blob.parent.mkdir(exist_ok=True)
        blob.write_bytes(content)
        link = folder / "snapshots" / COMMIT / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    (folder / "snapshots" / COMMIT / ".cache").mkdir()
    (folder / "snapshots" / COMMIT / ".cache" / "lock").touch()
    return folder / "snapshots" / COMMIT


def test_hub_and_snapshot_give_the_same_pin_which_a_file_of_pins_takes(hub: str, tmp_path: Path) -> None:
    asked = pin("a/model@main", hub=hub)
    assert asked == pin("a/model@main", snapshot=snapshot(tmp_path))
    tree = yaml.safe_load(asked)["trees"]["a/model"]
    assert tree["commit"] == COMMIT
    assert tree["kv_bytes_per_token"] == 2 * 34 * 4 * 256 * 2
    assert tree["files"] == {
        path: {"sha256": digest(content), "size": len(content)} for path, content in FILES.items()
    }
    (tmp_path / "trees.yaml").write_text(asked)
    pins, problems = load([(tmp_path / "trees.yaml", "trees.yaml")])
    assert problems == []
    assert pins
    assert pins.trees["a/model"].files["config.json"] == (
        digest(FILES["config.json"]),
        len(FILES["config.json"]),
    )


def test_of_a_repository_with_a_model_in_several_folders_one_is_pinned(tmp_path: Path) -> None:
    decoder = {"num_hidden_layers": 32, "num_key_value_heads": 8, "head_size": 96}
    for folder in ("cpu", "cuda"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "genai_config.json").write_text(json.dumps({"model": {"decoder": decoder}}))
        (tmp_path / folder / "model.onnx").write_bytes(folder.encode())
    pinned = yaml.safe_load(pin(f"a/onnx@{COMMIT}", snapshot=tmp_path, under="cpu/"))["trees"]["a/onnx"]
    assert set(pinned["files"]) == {"cpu/genai_config.json", "cpu/model.onnx"}
    assert pinned["kv_bytes_per_token"] == 2 * 32 * 8 * 96 * 4
    with pytest.raises(RefusedError, match=r"no config.json and no genai_config.json there"):
        pin(f"a/onnx@{COMMIT}", snapshot=tmp_path, under="directml")


@pytest.mark.parametrize("paths", [("config.json", "model.bin"), ("pl/voice.onnx", "pl/voice.onnx.json")])
def test_a_model_of_speech_has_no_cache_to_count(paths: tuple[str, ...], tmp_path: Path) -> None:
    for path in paths:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("{}")
    pinned = yaml.safe_load(pin(f"a/speech@{COMMIT}", snapshot=tmp_path))["trees"]["a/speech"]
    assert set(pinned["files"]) == set(paths)
    assert "kv_bytes_per_token" not in pinned


def test_a_gated_tree_is_pinned_with_a_token_and_refused_without(
    hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RefusedError, match=r"status 401(.|\n)*--token env:HF_TOKEN"):
        pin("a/gated@main", hub=hub)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert COMMIT in pin("a/gated@main", hub=hub, token="env:HF_TOKEN")


@pytest.mark.parametrize(
    ("name", "words"),
    [("model", "REPOSITORY@REVISION"), ("a/model@main", "a commit of 40 hex digits")],
)
def test_what_names_no_tree_is_refused(
    name: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--snapshot", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err


def test_a_tree_that_is_no_language_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["Other"]}')
    with pytest.raises(RefusedError, match="a language model"):
        pin(f"a/model@{COMMIT}", snapshot=tmp_path)
