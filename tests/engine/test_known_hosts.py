"""Whose key is trusted: what known_hosts says of a host, line by line, and what it must never overlook."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.connection import known_hosts
from engine.connection.known_hosts import KnownHosts, Line, parse, read


def key(name: str, kind: str = "ssh-ed25519") -> bytes:
    """A public key as it travels, of 32 bytes that the name makes."""
    parts = (kind.encode(), name.encode().ljust(32, b"."))
    return b"".join(len(it).to_bytes(4, "big") + it for it in parts)


def line(names: str, of: bytes, marker: str = "") -> str:
    return f"{marker} {names} {known_hosts.kind(of)} {base64.b64encode(of).decode()}".strip() + "\n"


HERS, OTHER = key("hers"), key("other")


def known(text: str, host: str = "box.example.org", port: int = 22, *, folder: Path) -> KnownHosts:
    file = folder / "known_hosts"
    file.write_text(text)
    return read([str(file)], host, port)


@pytest.mark.parametrize(
    "text",
    [
        line("box.example.org", HERS),
        line("192.0.2.1,BOX.example.org", HERS) + "\n# a comment\n",
        line("*.example.org,!www.example.org", HERS),
        line("b?x.example.org", HERS),
        line("@cert-authority *.example.org", OTHER).replace("ssh", "ssh", 1) + line("box.example.org", HERS),
        "box.example.org\n" + line("box.example.org", HERS),
        "box.example.org ssh-ed25519 AAAA%%%\n" + line("box.example.org", HERS),
        line("box.example.org", key("x", "ssh-rsa")) + line("box.example.org", HERS),
        line("box.example.org", HERS).replace(" ", "\t").rstrip("\n") + " a comment at its end",
    ],
)
def test_a_key_that_a_line_has_is_trusted_whatever_stands_beside_it(text: str, tmp_path: Path) -> None:
    it = known(text, folder=tmp_path)
    assert it.against(HERS) is None
    assert it.knows(HERS)


@pytest.mark.parametrize(
    "before",
    [
        "",
        line("*.example.org", OTHER, "@cert-authority"),
        line("elsewhere", OTHER, "@revoked"),
        "@unheard-of * ssh-ed25519 AAAA\n",
        "box.example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI\n",
        "\x00\xff garbage |1|x|y ssh-ed25519\n",
        "|1|damaged|hash ssh-ed25519 AAAA\n",
    ],
)
def test_a_changed_key_is_refused_whatever_stands_before_it(before: str, tmp_path: Path) -> None:
    finding = known(before + line("box.example.org", HERS), folder=tmp_path).against(OTHER)
    assert finding is not None
    assert finding.requirement.endswith(f"ssh-ed25519 {known_hosts.of(HERS)}")
    assert known_hosts.of(OTHER) in finding.found
    assert "Nothing was sent" in finding.found


def test_another_kind_of_key_than_the_known_one_is_a_changed_key(tmp_path: Path) -> None:
    assert known(line("box.example.org", HERS), folder=tmp_path).against(key("hers", "ssh-rsa"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("box.example.org\n", "known_hosts:1: it has no key"),
        ("# x\n*.example.org ssh-ed25519 AAAA\n", "known_hosts:2: its key is damaged"),
        ("@unheard-of box.example.org ssh-ed25519 AAAA\n", "the marker @unheard-of is not known"),
        ("|1|damaged|hash ssh-ed25519 AAAA\n", "known_hosts:1: its key is damaged"),
        (line("box.example.org", HERS).replace("ssh-ed25519", "ssh-rsa"), "its key is damaged"),
        (line("*.example.org", OTHER, "@cert-authority"), "trusts an authority for it"),
    ],
)
def test_a_host_that_may_be_known_is_no_new_host(text: str, found: str, tmp_path: Path) -> None:
    finding = known(text, folder=tmp_path).against(HERS)
    assert finding is not None
    assert found in finding.found
    assert finding.remedy


@pytest.mark.parametrize("text", ["", line("elsewhere", OTHER), "elsewhere ssh-ed25519 damaged\n", "\n#\n"])
def test_a_host_that_no_line_speaks_of_is_new(text: str, tmp_path: Path) -> None:
    it = known(text, folder=tmp_path)
    assert it.against(HERS) is None
    assert not it.knows(HERS)


def test_a_revoked_key_is_refused_although_it_is_known(tmp_path: Path) -> None:
    text = line("box.example.org", HERS) + line("*", HERS, "@revoked")
    assert "revokes SHA256:" in str(known(text, folder=tmp_path).against(HERS))
    text = line("box.example.org", HERS) + "@revoked * ssh-ed25519 AAAA\n"
    assert "its key is damaged" in str(known(text, folder=tmp_path).against(HERS))


def test_a_host_on_another_port_has_a_name_of_its_own(tmp_path: Path) -> None:
    text = line("[box.example.org]:2222", HERS) + line("box.example.org", OTHER)
    assert known(text, port=2222, folder=tmp_path).against(HERS) is None
    assert known(text, port=22, folder=tmp_path).against(HERS)
    # As ssh does: what is known by the name alone counts, and does not speak against another key there.
    assert known(text, port=2223, folder=tmp_path).knows(OTHER)
    assert known(text, port=2223, folder=tmp_path).against(HERS) is None


def test_a_file_that_cannot_be_read_makes_no_host_new(tmp_path: Path) -> None:
    (tmp_path / "known_hosts").mkdir()
    it = read([str(tmp_path / "known_hosts"), str(tmp_path / "none")], "box")
    assert "Is a directory" in str(it.against(HERS))


def test_kinds_that_are_known_are_asked_for_first(tmp_path: Path) -> None:
    it = known(line("box.example.org", key("x", "ssh-rsa")), folder=tmp_path)
    offered = ["ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"]
    assert it.algorithms(offered) == ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa", "ssh-ed25519"]
    assert it.algorithms(["ssh-ed25519", "rsa-sha2-256"]) == ["rsa-sha2-256", "ssh-ed25519"]


@pytest.mark.parametrize("before", ["", "elsewhere ssh-ed25519 AAAA", line("elsewhere", OTHER)])
def test_a_new_host_is_recorded_in_a_line_of_its_own(before: str, tmp_path: Path) -> None:
    file = tmp_path / ".ssh" / "known_hosts"
    if before:
        file.parent.mkdir()
        file.write_text(before)
    known_hosts.add(str(file), "[box]:2222", HERS)
    assert read([str(file)], "box", 2222).knows(HERS)
    assert file.read_text().startswith(before)
    assert file.stat().st_mode & 0o777 in {0o600, 0o644}


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen here")
def test_what_ssh_keygen_hashes_and_prints_is_understood(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", tmp_path / "k"], check=True)
    kind, public = (tmp_path / "k.pub").read_text().split()[:2]
    file = tmp_path / "known_hosts"
    file.write_text(f"box.example.org {kind} {public}\n[box.example.org]:2222 {kind} {public}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=True, capture_output=True)
    assert file.read_text().startswith("|1|")
    blob = base64.b64decode(public)
    for port in (22, 2222):
        assert read([str(file)], "box.example.org", port).knows(blob)
    assert not read([str(file)], "other.example.org").lines
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", tmp_path / "k"], check=True, capture_output=True, text=True
    )
    assert known_hosts.of(blob) in shown.stdout


@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda it: it.decode("latin-1")))
def test_any_text_is_read_and_switches_no_check_off(noise: str) -> None:
    lines = parse(f"{noise}\n{line('box', HERS)}", "f")
    it = KnownHosts(tuple(it for it in lines if it.of("box")))
    assert it.against(HERS) is None or "revoked" in str(it.against(HERS))
    assert it.against(OTHER) is not None


def test_a_line_is_of_whom_it_names() -> None:
    assert Line("f:1", "[box]:22*").of("[box]:2222")
    assert not Line("f:1", "box").of("box2")
    assert not Line("f:1", "!box,*").of("box")
    assert not Line("f:1", "!box").of("other")
