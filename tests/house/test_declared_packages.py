"""Whatever the code imports of others is declared in pyproject.toml, where its module belongs."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.test_floors import FLOORS, OURS, ROOT, modules

# What may need the extra `verify`: modules that are imported only where it is there.
VERIFY = {"roles.verification.browser", "roles.verification.plots", "roles.verification.junit"}
# What lies in the lab on its own, and is no distribution.
OF_THE_LAB = {"ollama_stand_in"}


def _declared() -> dict[str, set[str]]:
    """The distributions by where they are declared: "" (always), verify, dev."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = {"": project["dependencies"], **project["optional-dependencies"]}
    return {
        where: {canonicalize_name(Requirement(it).name) for it in listed} for where, listed in lists.items()
    }


def _imported(path: Path) -> set[str]:
    """The top-level modules of others that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {it.name for it in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return {it.partition(".")[0] for it in found} - sys.stdlib_module_names - OURS - OF_THE_LAB


def _modules(folders: set[str]) -> Iterator[tuple[str, Path]]:
    for folder in sorted(folders):
        # The lab's Venom is an application of its own.
        yield from ((name, it) for name, it in modules(folder) if not name.startswith("lab.venom."))


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def _undeclared(module: str, path: Path, allowed: set[str]) -> Iterator[str]:
    for name in _imported(path):
        of = {canonicalize_name(it) for it in _distributions().get(name, [])}
        if not of & allowed:
            yield f"{module} imports {name} (of {', '.join(sorted(of)) or 'nothing that is installed'})"


def test_what_the_product_imports_is_a_dependency_or_in_the_extra_of_its_module() -> None:
    declared = _declared()
    found = [
        fault
        for module, path in _modules(set(FLOORS))
        for fault in _undeclared(
            module, path, declared[""] | (declared["verify"] if module in VERIFY else set())
        )
    ]
    assert found == []


def test_what_the_lab_and_the_tests_import_is_declared_too() -> None:
    declared = _declared()
    everything = set().union(*declared.values())
    lab = declared[""] | declared["dev"]
    found = [
        fault
        for module, path in _modules({"lab", "tests"})
        for fault in _undeclared(module, path, everything if module.startswith("tests.") else lab)
    ]
    assert found == []


@pytest.mark.parametrize("module", sorted(VERIFY))
def test_a_module_of_the_extra_is_one_that_imports_something_of_it(module: str) -> None:
    path = ROOT / f"{module.replace('.', '/')}.py"
    declared = _declared()
    assert list(_undeclared(module, path, declared[""]))
    assert not list(_undeclared(module, path, declared[""] | declared["verify"]))


def test_nothing_is_declared_twice() -> None:
    declared = _declared()
    assert not declared[""] & (declared["verify"] | declared["dev"])
    assert not declared["verify"] & declared["dev"]
