"""The commands that the README names, run as it names them. `lab1` is made anew, as `script/lab` always does.

`script/test` is what runs this.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from lab.hosts import Host
from lab.state import REPOSITORY
from tests.lab import visitor

HOST = "lab1"  # of inventories/lab.yaml
README = REPOSITORY / "README.md"


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=1200,
    )


@pytest.fixture(scope="module")
def demonstration() -> Iterator[subprocess.CompletedProcess[str]]:
    """What `script/lab` says; its host goes with these tests."""
    try:
        yield _run("script/lab")
    finally:
        _run("script/lab", "down", HOST)


def test_every_command_of_the_readme_is_run_here() -> None:
    text = README.read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(script/\w+)`", text, re.MULTILINE))
    assert listed == {"script/lab", "script/test", "script/bench"}
    wrong = _run("script/test", "--fast")
    assert (wrong.returncode, wrong.stdout) == (2, "usage: script/test [--unit | --quick | --all]\n")


def test_the_lab_makes_a_host_serve_and_says_where_to_look(
    demonstration: subprocess.CompletedProcess[str],
) -> None:
    assert demonstration.returncode == 0, demonstration.stdout[-2000:]
    assert f"Measured on {HOST} (Debian 12)" in demonstration.stdout
    assert f"script/lab ssh {HOST}" in demonstration.stdout
    assert visitor.chat(Host.get(HOST), "Say yes.").status == "COMPLETED"


# Ansible's installation and its playbook take minutes: a figure that is asked for by hand.
@pytest.mark.thorough
def test_a_measurement_compares_with_an_ansible_that_finds_nothing_to_do(
    demonstration: subprocess.CompletedProcess[str],
) -> None:
    done = _run("script/bench", "--runs", "1", "--host", HOST)
    assert done.returncode == 0, done.stdout[-2000:]
    for row in ("`deploy/venom.py`, nothing to do", "Ansible, the same state", "`deploy/rollback.py`"):
        assert re.search(rf"^\| {re.escape(row)} \| 1 \| [0-9.]+ \|", done.stdout, re.MULTILINE), row
    assert re.search(r"^\| Ansible ÷ this product \| ≥ 20 \| [0-9.]+ \|", done.stdout, re.MULTILINE)


def test_a_measurement_of_a_host_that_is_not_there_says_so() -> None:
    done = _run("script/bench", "--runs", "1", "--host", "nosuch")
    assert done.returncode == 1
    assert "bench: there is no lab host 'nosuch'" in done.stdout
