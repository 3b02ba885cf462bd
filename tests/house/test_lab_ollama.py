"""Which Ollama the lab serves: the stand-in, a release file that is named, or upstream's."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lab import fleet, upstream_ollama
from lab.state import LabError

UPSTREAM = {"VENOM_LAB_OLLAMA": "upstream"}


def test_nothing_is_the_stand_in_and_a_file_is_taken_by_its_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert upstream_ollama.chosen({}) == upstream_ollama.chosen({"VENOM_LAB_OLLAMA": ""}) == ""
    (tmp_path / "ollama.tar.zst").touch()
    monkeypatch.chdir(tmp_path)
    assert upstream_ollama.chosen({"VENOM_LAB_OLLAMA": "ollama.tar.zst"}) == tmp_path / "ollama.tar.zst"


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(LabError, match="VENOM_LAB_OLLAMA=/nowhere: no such file; name an ollama-linux-amd64"):
        upstream_ollama.chosen({"VENOM_LAB_OLLAMA": "/nowhere"})


def test_a_file_that_is_no_release_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no archive")
    with pytest.raises(LabError, match=r"file is no release file of Ollama \(ollama-linux-amd64\.tar\.zst\)"):
        upstream_ollama.unpack(tmp_path / "file", tmp_path)


def test_from_upstream_models_come_from_upstream_too() -> None:
    assert "ollama" in fleet.default({})["defaults"]["mirrors"]
    assert "ollama" not in fleet.default(UPSTREAM)["defaults"]["mirrors"]


def test_what_upstream_will_be_asked_for_is_shown_before_it_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{it.getsockname()[1]}/ollama-linux-amd64.tar.zst"
    pins = {
        "releases": {"v1": {"ollama": {"use": "0.24.0"}}},
        "artifacts": {"ollama": {"0.24.0": {"amd64": {"url": closed, "size": 1198635318}}}},
        "weights": {"gemma3:270m": {"bytes": 291545088}},
    }
    with pytest.raises(LabError, match="needs a machine that reaches GitHub and Ollama's registry") as error:
        upstream_ollama.require_upstream(pins, "gemma3:270m")
    printed = capsys.readouterr().out
    assert f"Ollama 0.24.0: ollama-linux-amd64.tar.zst, 1199 MB, {closed}" in printed
    assert (
        "weights gemma3:270m: 292 MB, https://registry.ollama.ai/v2/library/gemma3/manifests/270m" in printed
    )
    assert f"{closed}: [Errno 111] Connection refused" in str(error.value)
    assert "Name a release file instead" in str(error.value)
