"""The audit shows what Python does with an import: when it runs, and by which way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from audit.__main__ import main
from audit.compare import compare
from audit.graph import reach
from audit.packages import installed
from audit.report import audit, start_up
from audit.table import table
from audit.tree import SourceError, Tree, of_commit, of_folder
from audit.when import When
from schemas.data.dependencies import matrix

ROOT = Path(__file__).parents[2]
ENTRY = "app.main"


def tree(**texts: str) -> Tree:
    """A source of these modules: `app__main` is app/main.py, `app__` is app/__init__.py."""
    files = {"app/__init__.py": b""}
    for name, text in texts.items():
        path = name.replace("__", "/") + ("__init__" if name.endswith("__") else "")
        files[f"{path}.py"] = text.encode()
    return Tree(files, "a test")


def when(text: str, name: str = "wanted", **others: str) -> str:
    """When the module `name`, of outside, is imported by an application with this text."""
    uses = [
        use for use in reach(tree(app__main=text, **others), ENTRY, matrix().imports).uses if use.name == name
    ]
    return uses[0].when.label if uses else "nowhere"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import wanted", "start-up"),
        ("import wanted as other, os", "start-up"),
        ("from wanted import *", "start-up"),
        ("class A:\n    import wanted", "start-up"),
        ("with open('x') as file:\n    import wanted", "start-up"),
        ("import importlib\nx = importlib.import_module('wan' 'ted')", "start-up"),
        ("__import__('wanted')", "start-up"),
        # Conditions at the top level.
        ("import os\nif os.environ.get('A'):\n    import wanted", "conditional"),
        ("import os\nif os.environ.get('A'):\n    pass\nelse:\n    import wanted", "conditional"),
        ("a = 1\nb = __import__('wanted') if a else None", "conditional"),
        ("import sys\nif sys.platform == 'win32':\n    import wanted", "never"),
        ("import sys\nif sys.platform != 'win32':\n    import wanted", "start-up"),
        ("if __name__ == '__main__':\n    import wanted", "never"),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import wanted", "never"),
        ("import typing\nif not typing.TYPE_CHECKING:\n    import wanted", "start-up"),
        ("import typing\nif typing.TYPE_CHECKING:\n    pass\nelse:\n    import wanted", "start-up"),
        # Guards.
        ("try:\n    import wanted\nexcept ImportError:\n    wanted = None", "guarded"),
        ("try:\n    import wanted\nexcept (OSError, ModuleNotFoundError) as error:\n    pass", "guarded"),
        ("try:\n    import wanted\nexcept Exception:\n    pass", "guarded"),
        ("try:\n    import wanted\nexcept:\n    pass", "guarded"),
        ("from contextlib import suppress\nwith suppress(ImportError):\n    import wanted", "guarded"),
        ("if 1:\n    try:\n        import wanted\n    except ImportError:\n        pass", "guarded"),
        ("try:\n    import wanted\nexcept AttributeError:\n    pass", "start-up"),
        ("try:\n    import wanted\nfinally:\n    pass", "start-up"),
        (
            "try:\n    import wanted\nexcept ImportError as error:\n    raise SystemExit from error",
            "start-up",
        ),
        ("import sys\ntry:\n    import wanted\nexcept ImportError:\n    sys.exit(1)", "start-up"),
        # The first handler that catches it decides.
        ("try:\n    import wanted\nexcept ImportError:\n    raise\nexcept Exception:\n    pass", "start-up"),
        ("try:\n    pass\nexcept ImportError:\n    import wanted", "conditional"),
        ("try:\n    import os\nexcept ImportError:\n    pass\nelse:\n    import wanted", "conditional"),
        ("try:\n    pass\nexcept ImportError:\n    pass\nfinally:\n    import wanted", "start-up"),
        # Functions.
        ("def f():\n    import wanted", "lazy"),
        ("async def f():\n    from wanted import x", "lazy"),
        ("f = lambda: __import__('wanted')", "lazy"),
        (
            "class A:\n    def f(self):\n        if x:\n            import wanted",
            "lazy",
        ),
        ("def f(x=__import__('wanted')):\n    pass", "start-up"),
        ("from typing import TYPE_CHECKING\ndef f():\n    if TYPE_CHECKING:\n        import wanted", "never"),
        # What is no import.
        ("from importlib.util import find_spec\nif find_spec('wanted'):\n    pass", "looked for"),
        ("'''import wanted'''\n# import wanted", "nowhere"),
    ],
)
def test_a_statement_runs_when_python_runs_it(text: str, expected: str) -> None:
    assert when(text) == expected


def test_an_import_that_only_the_running_program_can_name_is_dynamic() -> None:
    text = (
        "from importlib import import_module\nNAMES = ['torch', 'nothing']\ndef f(name): import_module(name)"
    )
    assert when(text, "torch") == "dynamic"
    assert when(text, "nothing") == "nowhere"


def test_a_way_is_as_certain_as_its_least_certain_step() -> None:
    guarded = "try:\n    from app import a\nexcept ImportError:\n    a = None"
    assert when(guarded, app__a="import wanted") == "guarded"
    assert (
        when("from app import a", app__a="def f():\n    from app import b", app__b="import wanted") == "lazy"
    )
    assert when(guarded + "\nimport app.a", app__a="import wanted") == "start-up"


@pytest.mark.parametrize(
    "text",
    [
        "from . import a",
        "from .a import x",
        "from app import a",
        "import app.a",
        "import app.a as b",
        "from app.a import x as y",
        "from .. import app",  # beyond the top: no way, and no crash
        "from . import *",
    ],
)
def test_every_form_of_naming_a_module_leads_to_it(text: str) -> None:
    expected = "nowhere" if ".." in text else "start-up"
    package = "__all__ = ['a']" if "*" in text else ""
    assert when(text, app__=package, app__a="import wanted") == expected


def test_before_a_module_its_packages_run() -> None:
    others = {"app__sub__": "import wanted", "app__sub__deep__": "", "app__sub__deep__a": ""}
    assert when("import app.sub.deep.a", **others) == "start-up"
    assert when("from .sub.deep import a", **others) == "start-up"


def test_a_name_that_the_package_has_itself_is_no_submodule() -> None:
    assert when("from app.sub import a", app__sub__="a = 1", app__sub__a="import wanted") == "nowhere"
    assert when("from app.sub import a", app__sub__="", app__sub__a="import wanted") == "start-up"


def test_a_folder_without_init_is_a_package() -> None:
    assert when("from app.plain.a import x", app__plain__a="import wanted") == "start-up"


def test_a_package_hides_a_module_of_its_name() -> None:
    files = {
        "app/main.py": b"import app.x",
        "app/x.py": b"import hidden",
        "app/x/__init__.py": b"import wanted",
    }
    uses = reach(Tree(files, "a test"), ENTRY).uses
    assert [use.name for use in uses] == ["wanted"]


def test_what_a_package_imports_when_asked_is_reached_by_asking() -> None:
    package = (
        "from importlib import import_module\n"
        "TABLE = {'A': ('app.sub.a', 'A'), 'B': '.b'}\n"
        "def __getattr__(name):\n    return import_module(TABLE[name])\n"
    )
    others = {"app__sub__": package, "app__sub__a": "import wanted", "app__sub__b": "import other"}
    assert when("from app.sub import A", **others) == "start-up"
    assert when("from app.sub import A", "other", **others) == "dynamic"
    assert when("def f():\n    from app.sub import B", "other", **others) == "lazy"


def test_a_circle_ends() -> None:
    assert when("import app.a", app__a="import app.main\nimport wanted") == "start-up"


def test_the_way_names_file_and_line_of_each_step() -> None:
    source = tree(app__main="\nimport app.a", app__a="\n\nfrom app import b", app__b="import PIL.Image")
    assert start_up(source, matrix(), ENTRY)["pillow"] == ["app/main.py:2", "app/a.py:3", "app/b.py:1"]


def test_python_newer_than_the_one_that_reads_is_read() -> None:
    text = "type A[T] = dict[str, T]\ndef f[T](x: T) -> T:\n    return f'{x!r:{'>'}10}'\nimport wanted"
    found = reach(tree(app__main=text), ENTRY)
    assert (found.uses[0].when, found.unread) == (When.START, ())


def test_what_cannot_be_read_is_reported() -> None:
    found = audit(tree(app__main="import app.a\nimport app.gone", app__a="def (:\n"), matrix(), ENTRY)
    assert found["unread"] == ["app/a.py"]
    assert found["lacking"] == ["app/main.py:2: app.gone (start-up)"]
    assert "not readable as Python:\n    app/a.py" in table(found)


def test_a_package_is_named_as_the_index_names_it() -> None:
    text = "import PIL.Image, git, google.auth.transport\nfrom google import genai\nimport some_thing"
    names = [row["package"] for row in audit(tree(app__main=text), matrix(), ENTRY)["packages"]]
    assert names == ["gitpython", "google-auth", "google-genai", "pillow", "some-thing", "uvicorn"]


def test_an_environment_says_which_package_brings_a_module() -> None:
    package_of = installed(
        {
            "google-auth": ["google/auth/__init__.py", "google/auth/transport/_http.py"],
            "google-genai": ["google/genai/__init__.py"],
            "pyyaml": ["yaml/__init__.py", "_yaml/__init__.py"],
            "speed": ["speed.cpython-312-x86_64-linux-gnu.so", "../../bin/speed.py"],
        }
    )
    found = [
        package_of(it) for it in ("google.auth.transport", "google.genai", "google", "yaml", "speed", "no")
    ]
    assert found == ["google-auth", "google-genai", None, "pyyaml", "speed", None]


def test_a_form_in_a_route_needs_what_reads_forms() -> None:
    row = audit(tree(app__main="from fastapi import Form, FastAPI"), matrix(), ENTRY)["packages"]
    assert [it["package"] for it in row if it["critical"]] == ["fastapi", "python-multipart", "uvicorn"]


def test_what_every_start_needs_since_then_comes_first() -> None:
    before = audit(tree(app__main="import httpx\ndef f():\n    import torch"), matrix(), ENTRY)
    after = audit(
        tree(app__main="import torch, alpha\ntry:\n    import httpx\nexcept ImportError: ..."),
        matrix(),
        ENTRY,
    )
    lines = compare(before, after)
    assert [line.split()[0] for line in lines] == ["start-up", "start-up", "no"]
    assert lines[1] == "start-up critical now  torch: lazy → start-up  (app/main.py:1)"
    assert compare(after, after) == []


def test_the_small_venom_of_the_lab_is_reported_as_it_is() -> None:
    found = audit(of_folder(ROOT / "lab" / "venom"), matrix())
    critical = {row["package"] for row in found["packages"] if row["critical"]}
    assert critical == {
        *("fastapi", "gitpython", "httpx", "pillow", "pydantic", "pydantic-settings", "pymeta3", "uvicorn")
    }
    assert found["modules"] == {"all": 8, "start-up": 8}
    others = {row["package"]: row["when"] for row in found["packages"] if row["decision"] != "required"}
    assert others == {"onnxruntime": "lazy"}, "as the real one, it imports ONNX at the first chat only"


def test_a_commit_is_read_as_its_folder(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.py").write_text("import httpx\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(tmp_path)]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    assert of_commit(tmp_path, "HEAD").files == of_folder(tmp_path).files
    with pytest.raises(SourceError, match=r"required  gone in the git repository (.|\n)*do        fetch it"):
        of_commit(tmp_path, "gone")


def test_the_command_prints_a_table_or_data_or_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(ROOT / "lab" / "venom")]) == 0
    assert "pillow (PIL)" in capsys.readouterr().out
    assert main([str(ROOT / "lab" / "venom"), "--json"]) == 0
    stored = tmp_path / "kept.json"
    stored.write_text(capsys.readouterr().out)
    assert json.loads(stored.read_text())["format"] == 1
    assert main([str(ROOT / "lab" / "venom"), "--compare", str(stored)]) == 0
    assert capsys.readouterr().out == "no difference\n"
    assert main([str(tmp_path / "nowhere")]) == 2
    assert main([str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("required")) == ("", 2)


def test_the_audit_imports_the_schemas_only() -> None:
    script = (
        "import sys, audit.__main__\n"
        "tops = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted({'roles', 'deploy', 'lab', 'pyinfra'} & tops))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
