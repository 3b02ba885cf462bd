"""A command is the same for any shell, and an answer is what stands between the marks."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.connection import shell
from engine.connection.shell import BEGIN, END, Reader

SHELLS = [it for it in ("sh", "bash", "dash", "zsh", "fish", "csh", "tcsh", "ksh") if shutil.which(it)]
AWKWARD = (
    "printf '%s\\n' 'a\\\\b' \"it's\" '!x' '$HOME' '`id`'; echo \"${1-none}\"; cat; echo oops >&2; exit 3"
)


def answer(name: str, command: str, stdin: bytes = b"") -> tuple[Reader, bytes, Reader, bytes]:
    line = shell.line(command)
    done = subprocess.run([name, "-c", line], input=stdin, capture_output=True, check=False)
    out, err = Reader(), Reader()
    return out, out.feed(done.stdout) + out.rest(), err, err.feed(done.stderr) + err.rest()


@pytest.mark.parametrize("name", SHELLS)
def test_a_command_means_the_same_in_every_shell(name: str) -> None:
    out, printed, err, other = answer(name, AWKWARD, b"from its input\n")
    assert shell.text(printed) == ["a\\\\b", "it's", "!x", "$HOME", "`id`", "none", "from its input"]
    assert (out.status, err.status) == (3, 3)
    assert shell.text(other) == ["oops"]


def test_what_a_login_shell_prints_is_no_part_of_the_answer() -> None:
    reader = Reader()
    answer = reader.feed(b"Welcome!\nno end" + BEGIN + b"yes\n" + END + b"0\n" + b"bye\n")
    assert (answer, reader.status, reader.before) == (b"yes\n", 0, b"Welcome!\nno end")


def test_a_bash_within_does_not_read_what_a_login_shell_reads(tmp_path: object) -> None:
    command = "env | grep -c -e ^SSH_CLIENT= -e ^BASH_ENV="
    line = f"export SSH_CLIENT=x BASH_ENV=/nowhere; {shell.line(command)}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=False)
    assert Reader().feed(done.stdout) == b"0\n"


@pytest.mark.parametrize(
    "sent", [b"", b"Account expired\n", BEGIN[:-4]], ids=["nothing", "words", "half a mark"]
)
def test_without_the_first_mark_there_is_no_answer(sent: bytes) -> None:
    reader = Reader()
    assert reader.feed(sent) + reader.rest() == b""
    assert (reader.begun, reader.status, reader.before) == (False, None, sent)


@given(
    answer=st.binary(max_size=60),
    before=st.binary(max_size=20),
    after=st.binary(max_size=20),
    status=st.integers(0, 255),
    size=st.integers(1, 9),
    cut=st.integers(0, 40),
)
def test_in_whatever_pieces_it_comes_it_is_the_same(
    answer: bytes, before: bytes, after: bytes, status: int, size: int, cut: int
) -> None:
    whole = before + BEGIN + answer + END + f"{status}\n".encode()
    sent = (whole + after)[: len(whole) - cut] if cut else whole + after
    reader, received = Reader(), b""
    for at in range(0, len(sent), size):
        received += reader.feed(sent[at : at + size])
    received += reader.rest()
    if not cut:
        assert (received, reader.status) == (answer, status)
    else:
        assert reader.status is None
        assert received.startswith(answer[: len(received)]) or received.startswith(answer)


def test_bytes_that_are_no_text_are_no_end_of_the_run() -> None:
    assert shell.text(b"caf\xe9\nb") == ["caf\ufffd", "b"]
