"""A key that cannot be used is reported before any connection, with what to do."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.declared import ssh_key
from tests.ssh_keys import pair

PRIVATE, PUBLIC = pair()
LOCKED, ITS_PUBLIC = pair("a passphrase")


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An agent that runs, and holds nothing."""
    if shutil.which("ssh-agent") is None:
        pytest.skip("no ssh-agent here")
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    while not socket.exists():
        assert process.poll() is None
    yield
    process.terminate()
    process.wait()


def written(folder: Path, content: bytes) -> str:
    path = folder / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    return str(path)


def test_a_private_key_is_fine(tmp_path: Path) -> None:
    path = written(tmp_path, PRIVATE)
    assert ssh_key.fault(path) == ("", "")
    assert ssh_key.public(path) == base64.b64decode(PUBLIC.split()[1])


def test_a_public_key_is_reported_with_the_name_of_the_private_one(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_bytes(PUBLIC)
    found, remedy = ssh_key.fault(str(tmp_path / "key.pub"))
    assert found.endswith("key.pub: a public key")
    assert remedy == f"name the private one: {tmp_path / 'key'}"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "no private key"),
        (b"\xff\x00 nothing", "no private key"),
        (PRIVATE[:200], "no private key"),
        (b"PuTTY-User-Key-File-3: ssh-ed25519\n", "a key of PuTTY's"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n", "a public key"),
    ],
)
def test_what_is_no_private_key_is_reported(tmp_path: Path, content: bytes, found: str) -> None:
    assert ssh_key.fault(written(tmp_path, content))[0].endswith(f"key: {found}")


@pytest.mark.parametrize("beside", [b"", ITS_PUBLIC], ids=["alone", "beside its public half"])
def test_a_locked_key_needs_an_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: bytes) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    path = written(tmp_path, LOCKED)
    if beside:
        Path(f"{path}.pub").write_bytes(beside)
    assert ssh_key.public(path) == base64.b64decode(ITS_PUBLIC.split()[1])
    found, remedy = ssh_key.fault(path)
    assert found == f"{path}: it has a passphrase, and no agent holds it"
    assert remedy == f'eval "$(ssh-agent)"; ssh-add {path}'


@pytest.mark.usefixtures("agent")
def test_a_locked_key_that_an_agent_holds_is_fine(tmp_path: Path) -> None:
    path = written(tmp_path, LOCKED)
    assert ssh_key.fault(path)[1] == f"ssh-add {path}"
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "a passphrase", "-N", "", "-f", path], check=True)
    subprocess.run(["ssh-add", "-q", path], check=True, env=os.environ)
    written(tmp_path, LOCKED)
    assert ssh_key.fault(path) == ("", "")
