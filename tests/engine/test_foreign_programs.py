"""Programs of others: each has a HOME, and what it says where it fails is shown, not thrown away."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from engine import remote
from engine.resources import File, Switchable
from roles.ollama import deploy as ollama
from roles.ui import deploy as ui
from tests.roles.plans import plan

HOUSE = Path(remote.__file__).parents[1]
SENT = [
    path
    for floor in ("engine", "roles")
    for folder in ("scripts", "templates")
    for path in sorted((HOUSE / floor).rglob(f"{folder}/*.*"))
]


def job(folder: Path, lines: str) -> subprocess.CompletedProcess[str]:
    """These lines as a job, in its own library, on this machine."""
    (folder / "log").touch()
    text = f"journalctl() {{ :; }}\n{remote.script('job.sh')}\n{lines}"
    environment = {"PATH": "/usr/bin:/bin", "JOB": str(folder)}
    return subprocess.run(["bash", "-c", text], text=True, capture_output=True, check=False, env=environment)


def test_a_program_that_does_not_run_here_says_why_itself(tmp_path: Path) -> None:
    program = tmp_path / "ollama"
    program.write_text('#!/bin/sh\necho "panic: \\$HOME is not defined" >&2\nexit 2\n')
    program.chmod(0o755)
    done = job(tmp_path, f"runs 'an Ollama 0.24.0' {program} --version\necho 'goes on'\n")
    assert done.returncode == 1
    assert "goes on" not in done.stdout
    lines = done.stderr.splitlines()
    assert lines[:3] == [
        "required  an Ollama 0.24.0 that runs on this host",
        "found     ollama --version ended with status 2 and printed:",
        "          panic: $HOME is not defined",
    ]
    assert lines[3].startswith("do        ")


def test_a_program_of_another_machine_is_reported_as_such(tmp_path: Path) -> None:
    program = tmp_path / "node"
    # The head of an ELF file for s390.
    program.write_bytes(b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x02\x00\x16" + bytes(44))
    program.chmod(0o755)
    done = job(tmp_path, f"runs 'a Node 22' {program} --version\n")
    assert done.returncode == 1
    assert "Exec format error" in done.stderr


def test_a_program_that_runs_prints_nothing(tmp_path: Path) -> None:
    done = job(tmp_path, "runs 'a shell' sh -c 'echo a; echo b >&2'\necho 'goes on'\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "goes on\n", "")


def test_every_job_has_a_home_of_its_own() -> None:
    assert '--setenv=HOME="$job/home"' in remote.script("start_job.sh")
    assert '"$job/home"' in re.findall(r"^mkdir .*", remote.script("start_job.sh"), re.M)[-1]


def units(resources: list[Switchable]) -> dict[str, str]:
    return {
        it.path: it.content
        for it in resources
        if isinstance(it, File) and it.path.endswith((".service", ".container", ".conf"))
    }


def test_a_service_without_a_user_that_lives_somewhere_is_given_a_home() -> None:
    # systemd itself sets HOME for `User=`, and does not for a dynamic user or root.
    [text] = units(ui.resources(plan())).values()
    assert 'Environment="HOME=/var/cache/venom-ui"' in text
    assert "CacheDirectory=venom-ui" in text
    of_ollama = units(ollama.resources(plan()))
    assert 'Environment="HOME=/var/lib/ollama"' in "".join(of_ollama.values())


@pytest.mark.parametrize("name", ["container.j2", "podman.service.j2", "docker.service.j2"])
def test_a_container_engine_has_the_home_of_root(name: str) -> None:
    text = (HOUSE / "engine" / "templates" / name).read_text(encoding="utf-8")
    assert "\nEnvironment=HOME=/root\n" in text.partition("[Service]")[2]


@pytest.mark.parametrize("path", SENT, ids=lambda path: path.name)
def test_what_a_program_says_where_it_fails_is_thrown_away_nowhere(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        # That a container is not there is what its removal is for; `command -v` and its like only ask.
        if "docker rm --force" in line or re.search(r"(command -v|getent|mkdir -m) ", line):
            continue
        assert not re.search(r">\s*/dev/null 2>&1|&>\s*/dev/null", line), line
        assert "--silent --pack" not in line, line
