"""How Ollama starts and ends, and what it makes of its environment."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.lab.ollama.server import Release, free_port

COMMANDS = ["--version", "--help", "list", "ps", "pull x", "serve"]


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_home_every_command_panics(release: Release, command: str) -> None:
    done = release.run(*command.split())
    assert done.returncode == 2
    assert done.stderr.startswith("panic: $HOME is not defined\n")
    assert "envconfig.Models()" in done.stderr


def test_an_empty_home_is_none(release: Release) -> None:
    assert release.run("--version", HOME="").returncode == 2


def test_with_a_store_but_no_home_it_prints_its_version_and_does_not_serve(
    release: Release, tmp_path: Path
) -> None:
    store = {"OLLAMA_MODELS": str(tmp_path / "models"), "OLLAMA_HOST": f"127.0.0.1:{free_port()}"}
    assert release.run("--version", **store).returncode == 0
    done = release.run("serve", **store)
    assert (done.returncode, done.stderr) == (1, "Error: $HOME is not defined\n")


def test_alone_it_prints_its_own_version(release: Release, tmp_path: Path) -> None:
    done = release.run("--version", HOME=str(tmp_path), OLLAMA_HOST=f"127.0.0.1:{free_port()}")
    warning, own = done.stdout.splitlines()
    assert done.returncode == 0
    assert warning == "Warning: could not connect to a running Ollama instance"
    assert own.startswith(f"Warning: client version is {release.version}")
    # It looks, and leaves nothing behind.
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["list", "ps", "show x", "rm x", "cp a b", "pull x"])
def test_without_a_server_a_command_says_so(release: Release, tmp_path: Path, command: str) -> None:
    done = release.run(*command.split(), HOME=str(tmp_path), OLLAMA_HOST=f"127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert done.stderr == "Error: could not connect to ollama server, run 'ollama serve' to start it\n"


def test_it_makes_its_keys_and_its_store_at_its_first_start(release: Release, tmp_path: Path) -> None:
    with release.serving(tmp_path) as server:
        assert server.run("--version").stdout.startswith(f"ollama version is {release.version}")
        assert server.log.startswith(f"Couldn't find '{tmp_path}/.ollama/id_ed25519'. Generating new")
        assert "total unused blobs removed: 0" in server.log
        assert f"Listening on 127.0.0.1:{server.port} (version {release.version}" in server.log
    for name, mode in (("id_ed25519", 0o600), ("id_ed25519.pub", 0o644)):
        assert (tmp_path / ".ollama" / name).stat().st_mode & 0o777 == mode
    assert {it.name for it in (tmp_path / "models").iterdir()} == {"blobs", "manifests"}


def test_it_ends_by_a_signal_with_status_0(release: Release, tmp_path: Path) -> None:
    with release.serving(tmp_path) as server:
        assert server.end() == 0


def test_a_port_that_is_taken_is_reported(release: Release, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = release.run("serve", HOME=str(tmp_path), OLLAMA_HOST=address)
    assert done.returncode == 1
    assert f"Error: listen tcp {address}: bind: address already in use\n" in done.stderr


def test_a_home_that_is_no_folder_is_reported(release: Release, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    home = str(tmp_path / "file")
    done = release.run("serve", HOME=home, OLLAMA_HOST=f"127.0.0.1:{free_port()}")
    assert done.returncode == 1
    error = f"Error: mkdir {home}: not a directory: ensure path elements are traversable\n"
    assert done.stderr.endswith(error)


def test_a_store_that_cannot_be_made_is_reported(release: Release, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = str(tmp_path / "file" / "models")
    done = release.run(
        "serve", HOME=str(tmp_path), OLLAMA_MODELS=store, OLLAMA_HOST=f"127.0.0.1:{free_port()}"
    )
    assert done.returncode == 1
    error = f"Error: mkdir {tmp_path / 'file'}: not a directory: ensure path elements are traversable\n"
    assert done.stderr.endswith(error)


def test_settings_that_it_does_not_understand_are_warned_of(release: Release, tmp_path: Path) -> None:
    with release.serving(
        tmp_path, OLLAMA_MAX_QUEUE="many", OLLAMA_NUM_PARALLEL="-1", OLLAMA_NOPRUNE="nonsense"
    ) as server:
        assert 'msg="invalid environment variable, using default" key=OLLAMA_MAX_QUEUE' in server.log
        assert 'msg="invalid environment variable, using default" key=OLLAMA_NUM_PARALLEL' in server.log
        # Of a boolean, garbage is true.
        assert "total unused blobs removed" not in server.log
