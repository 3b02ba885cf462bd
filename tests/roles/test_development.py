"""Venom from a developer's tree: what it must be, what is reported of it, and how it is started."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from engine.env import settings_digest
from engine.release import Release
from engine.resources import Absent, EnvFile, File
from roles.backend import deploy as backend
from roles.development import deploy as development
from roles.development.tree import SCRIPT, findings, other_requirements, parse
from roles.ui import deploy as ui
from schemas.model import Development
from tests.roles.plans import INVENTORY, plan

START = SCRIPT.with_name("start.sh")
WORK = Development("/home/ada/Venom", "ada")
PLAN = plan(f"{INVENTORY}    development: {{tree: /home/ada/Venom, user: ada}}\n")
RELEASE = Release(source="s", venv="v", ui="u", node="n", python="p")
TREE = """\
uid=1000
directory=yes
entered=yes
has=venom_core/main.py
has=web-next/package.json
has=web-next/package-lock.json
writable=.
writable=web-next
sha256=b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9 requirements.txt
"""


def without(*lines: str) -> str:
    return "".join(f"{line}\n" for line in TREE.splitlines() if line not in lines)


def test_a_whole_tree_is_no_finding() -> None:
    assert findings(WORK, parse(TREE)) == []


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("uid=\ndirectory=yes\n", "no such user"),
        ("uid=1000\n", "no such directory"),
        ("uid=1000\ndirectory=yes\n", "a directory that ada cannot enter"),
        (without("has=venom_core/main.py"), "venom_core/main.py: not there, or not readable for ada"),
        (without("writable=web-next"), "ada cannot write web-next of it"),
    ],
)
def test_what_is_wrong_with_a_tree_is_reported_with_a_remedy(answer: str, found: str) -> None:
    (finding,) = findings(WORK, parse(answer))
    assert finding.found == found
    assert "development." in finding.requirement
    assert finding.remedy


def test_other_requirements_than_the_releases_are_named() -> None:
    release = {"requirements.txt": "hello world", "requirements-profile-api.txt": "fastapi\n"}
    assert other_requirements(parse(TREE), release) == ["requirements-profile-api.txt"]
    assert other_requirements(parse(TREE), {"requirements.txt": "fastapi\n"}) == ["requirements.txt"]


def test_the_units_are_the_same_two_and_all_else_goes_with_the_release() -> None:
    mine = [
        *development.backend_resources(PLAN, WORK, RELEASE, {"KEY": "value"}),
        *development.ui_resources(PLAN, WORK, RELEASE),
    ]
    theirs = [*backend.resources(plan(), {"KEY": "value"}), *ui.resources(plan())]
    units = {it.path for it in theirs if isinstance(it, File)}
    assert units < {it.path for it in mine if isinstance(it, File)}
    # What is a file of the provisioner's, or holds settings, does not outlive development.
    gone = {it.path for it in development.absent() if isinstance(it, Absent)}
    assert gone == {it.path for it in mine if isinstance(it, File | EnvFile)} - units


def test_another_source_of_the_release_restarts_nothing_that_runs_from_a_tree() -> None:
    other = Release(source="other", venv="v", ui="other", node="n", python="p")
    packages = Release(source="s", venv="other", ui="u", node="n", python="p")

    def marks(release: Release) -> tuple[str, str]:
        served = (
            development.backend_service(PLAN, WORK, release, {}),
            development.ui_service(PLAN, WORK, release),
        )
        return served[0].fingerprint, served[1].fingerprint

    assert marks(other) == marks(RELEASE)
    assert marks(packages)[0] != marks(RELEASE)[0]
    assert marks(packages)[1] == marks(RELEASE)[1]


def start(port: int, *command: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    line = ["sh", str(START), str(port), *command]
    environment = {"PATH": f"{cwd}/bin:/usr/bin:/bin", **env}
    return subprocess.run(line, cwd=cwd, env=environment, text=True, capture_output=True, check=False)


def test_the_started_process_carries_the_digest_of_its_settings(tmp_path: Path) -> None:
    values = {"B": "2", "A": "a b"}
    (tmp_path / "venom.env").write_text("B=2\nMINE=1\nA='a b'\n", encoding="utf-8")
    done = start(
        *(0, "printenv", "VENOM_FINGERPRINT"),
        cwd=tmp_path,
        VENOM_FINGERPRINT="unit",
        VENOM_SETTINGS="A|B",
        ENV_FILE=str(tmp_path / "venom.env"),
    )
    assert done.stdout == f"unit.{settings_digest(values)}\n"


def test_a_taken_port_ends_the_start_with_a_word_and_no_second_try(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = start(port, "echo", "started", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (78, "")
    assert f"port {port} is in use" in done.stderr
    both = [
        *development.backend_resources(PLAN, WORK, RELEASE, {}),
        *development.ui_resources(PLAN, WORK, RELEASE),
    ]
    units = [it.content for it in both if isinstance(it, File)]
    assert sum("RestartPreventExitStatus=78" in text for text in units) == 2


def test_packages_are_installed_where_the_lock_file_or_node_is_another_than_last_time(tmp_path: Path) -> None:
    lock, (npm, node) = tmp_path / "package-lock.json", (tmp_path / "bin" / it for it in ("npm", "node"))
    npm.parent.mkdir()
    npm.write_text('#!/bin/sh\nrm -rf node_modules; mkdir node_modules; echo "npm $1"\n', encoding="utf-8")
    node.write_text("#!/bin/sh\necho v24\n", encoding="utf-8")
    lock.write_text("{}", encoding="utf-8")
    for tool in (npm, node):
        tool.chmod(0o755)

    def installs() -> bool:
        done = start(0, "echo", "started", cwd=tmp_path)
        assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "started")
        return "npm ci\n" in done.stdout

    assert [installs(), installs()] == [True, False]
    lock.write_text("{} ", encoding="utf-8")
    assert [installs(), installs()] == [True, False]
    node.write_text("#!/bin/sh\necho v26\n", encoding="utf-8")
    assert [installs(), installs()] == [True, False]

    lock.write_text("{}", encoding="utf-8")
    npm.write_text("#!/bin/sh\necho no such package >&2; exit 1\n", encoding="utf-8")
    failed = start(0, "echo", "started", cwd=tmp_path)
    assert (failed.returncode, "started" in failed.stdout) == (78, False)
    assert "no such package" in failed.stderr
