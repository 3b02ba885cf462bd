"""What is sent into an environment shows who imports what, and refuses by name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import audit

SCRIPT = Path(audit.__file__).parent / "scripts" / "imports.py"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), "app", *arguments]
    environment = {"PYTHONPATH": str(folder)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def application(folder: Path) -> Path:
    (folder / "app.py").write_text(
        "import threading\nimport middle\nthreading.Thread(target=print).start()\n"
    )
    (folder / "middle.py").write_text("\n\nimport heavy.part\n")
    (folder / "heavy").mkdir()
    (folder / "heavy" / "__init__.py").write_text("DATA = bytearray(50_000_000)\n")
    (folder / "heavy" / "part.py").write_text("")
    return folder


def test_it_reports_who_imported_each_module_and_what_that_cost(tmp_path: Path) -> None:
    done = run(application(tmp_path))
    document = json.loads(done.stdout.splitlines()[-1])
    assert document["importers"]["heavy"] == ["middle", str(tmp_path / "middle.py"), 3]
    assert document["importers"]["middle"][:1] == ["app"]
    assert document["grown"]["heavy"] > 40_000_000
    assert document["grown"]["middle"] < 10_000_000, "what a module imports is not its own"
    assert document["resident"][1] - document["resident"][0] > 40_000_000


def test_it_refuses_a_module_with_the_name_of_who_imported_it(tmp_path: Path) -> None:
    done = run(application(tmp_path), "--refuse", "torch", "heavy")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"refused: heavy was imported, by middle ({tmp_path / 'middle.py'}:3)"
    )
    assert run(tmp_path, "--refuse", "torch").returncode == 0
    assert run(tmp_path, "--refuse").returncode == 0


def test_an_application_that_does_not_import_fails_as_python_says_it(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import no_such_thing\n")
    done = run(tmp_path, "--refuse", "torch")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'no_such_thing'"
