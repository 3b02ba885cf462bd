"""What is sent to hosts is sound shell: every script, and every job as it is rendered for a host."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from engine import remote
from engine.environment import Lock
from engine.jobs import Job
from engine.release import Release
from roles.backend import deploy as backend
from roles.backup.running import Copy, backup_job, bring_job
from roles.ollama import deploy as ollama
from roles.store import deploy as store
from roles.trees import deploy as trees
from roles.ui import deploy as ui
from roles.vllm import deploy as vllm
from roles.weights import deploy as weights
from schemas.model import Artifact, Tree, TreeFile, Vllm
from tests.roles.plans import plan

HOUSE = Path(remote.__file__).parents[1]
SHELLCHECK = Path(sys.executable).with_name("shellcheck")


def check(text: str, shell: str, *excluded: str) -> str:
    """What shellcheck has to say."""
    options = [f"--shell={shell}", *(f"--exclude={code}" for code in excluded)]
    done = subprocess.run(
        [str(SHELLCHECK), *options, "-"], input=text, text=True, capture_output=True, check=False
    )
    return done.stdout


SCRIPTS = [path for floor in ("engine", "roles") for path in sorted((HOUSE / floor).rglob("scripts/*.sh"))]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_for_hosts_is_sound(path: Path) -> None:
    shell = "bash" if path.name == "job.sh" else "sh"
    # os-release is the host's; what stands in single quotes is for another program; `mkdir -p -m` is
    # for the last directory only, and meant so.
    assert check(path.read_text(encoding="utf-8"), shell, "SC1091", "SC2016", "SC2174") == ""


def jobs() -> list[Job]:
    it = plan()
    assert it.ollama
    assert it.model
    release = Release.of(it, "0" * 64, "2" * 64, "1" * 64)
    lock = Lock(Path("lock.txt"), "fastapi==1 \\\n    --hash=sha256:0\n", "1" * 64, fresh=False)
    return [
        backend.environment_job(it, release, lock),
        ui.build_job(it, release),
        ui.node_job(it, release),
        ollama.install_job(it, it.ollama),
        weights.pull_job(it.model, it.ollama, ollama.serve_command(it, it.ollama)),
        store.fill_job(["an id"]),
        backup_job("now"),
        bring_job(Copy("1f2e3d4c", "2026-11-28T03:30:00Z", "box"), "now"),
        *engines(),
    ]


def engines() -> list[Job]:
    """Those of what only profile full has: a model of the hub, behind a gate, and vLLM's environment."""
    files = tuple(TreeFile(it, "0" * 64, 1, (f"https://hub/{it}",)) for it in ("config.json", "a/b.json"))
    tree = Tree("a/model", "0" * 40, files, "/opt/venom/trees/model-0", "https://hub")
    python = Artifact("python", "3.12.1", "0" * 64, 1, ("https://hub/python.tar.gz",))
    lock = Lock(Path("lock.txt"), "vllm==1 \\\n    --hash=sha256:0\n", "1" * 64, fresh=False)
    server = Vllm("1", ("vllm==1",), python, 1, "525", 8001, tree, 1, eager=True, share="0.5", token=None)
    return [
        trees.tree_job("vllm", tree, gated=True),
        vllm.environment_job(vllm.environment(plan(), server, lock)),
    ]


@pytest.mark.parametrize("job", jobs(), ids=lambda job: job.name)
def test_a_job_is_sound_with_its_library(job: Job) -> None:
    assert check(f"{remote.script('job.sh')}\n{job.script}", "bash", "SC2016") == ""


def test_the_same_plan_gives_the_same_jobs_and_another_one_others() -> None:
    assert [job.key for job in jobs()] == [job.key for job in jobs()]
    assert len({job.name for job in jobs()}) == len(jobs())


PROGRAMS = [path for floor in ("engine", "roles") for path in sorted((HOUSE / floor).rglob("scripts/*.py"))]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_a_program_for_hosts_imports_what_is_there(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom | ast.Import):
            continue
        modules = [node.module] if isinstance(node, ast.ImportFrom) else [it.name for it in node.names]
        ours = [it for it in modules if it and it.partition(".")[0] not in sys.stdlib_module_names]
        for name in ours:
            places = [folder / f"{name}.py" for folder in (path.parent, remote.SCRIPTS)]
            neighbour = next((it for it in places if it.exists()), None)
            assert neighbour, f"{name} does not travel with {path.name}"
            if isinstance(node, ast.ImportFrom):
                assert {it.name for it in node.names} <= defined(neighbour), path.name


def defined(path: Path) -> set[str]:
    """The names at the top of a script."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {it.id for it in node.targets if isinstance(it, ast.Name)}
        elif isinstance(node, ast.ImportFrom):
            names |= {it.name for it in node.names}
    return names
