"""Imports go down only: which folder may import which, and that no role imports another.

docs/design.md has the table; what stands here is the same, as a test.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Each floor, with all that it may import besides itself.
FLOORS: dict[str, set[str]] = {
    "schemas": set(),
    "audit": {"schemas"},
    "engine": {"schemas"},
    "roles": {"audit", "engine", "schemas"},
    "fleet": {"audit", "engine", "roles", "schemas"},
    "deploy": {"engine", "fleet", "roles", "schemas"},
    "inventories": {"fleet"},
}
# The ground floor, room by room.
ROOMS: dict[str, set[str]] = {
    "schemas.hardware": set(),
    "schemas.model": {"schemas.hardware"},
    "schemas.reading": set(),
    "schemas.data": {"schemas.model", "schemas.reading"},
    "schemas.declared": {"schemas.data", "schemas.model", "schemas.reading"},
    "schemas.plan": {
        *("schemas.data", "schemas.declared", "schemas.hardware", "schemas.model", "schemas.reading")
    },
}
OURS = {*FLOORS, "lab", "tests"}


def modules(folder: str) -> Iterator[tuple[str, Path]]:
    """Each module below a folder: its name, and its file. What is sent to hosts imports nothing of ours."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        # An environment that the bench made below the lab is others' code.
        if not {"scripts", ".venv"} & set(path.parts):
            yield ".".join(path.relative_to(ROOT).with_suffix("").parts), path


def imports(path: Path) -> set[str]:
    """Whatever of ours a file imports, under `if TYPE_CHECKING` as well."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {it.name for it in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{it.name}" for it in node.names}
    return {it for it in found if it.partition(".")[0] in OURS}


def room(module: str, among: dict[str, set[str]]) -> str:
    """The room of `among` that a module is in; empty: in none."""
    return next((it for it in among if f"{module}.".startswith(f"{it}.")), "")


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_imports_what_is_below_it_and_nothing_else(floor: str) -> None:
    found = {
        f"{module} imports {name}"
        for module, path in modules(floor)
        for name in imports(path)
        if name.partition(".")[0] not in {floor, *FLOORS[floor]}
    }
    assert found == set()


def test_a_room_of_the_schemas_imports_only_the_rooms_below_it() -> None:
    found = {
        f"{module} imports {name}"
        for module, path in modules("schemas")
        if (here := room(module, ROOMS))
        for name in imports(path)
        if room(name, ROOMS) not in {here, *ROOMS[here]}
    }
    assert found == set()


def test_no_role_imports_another() -> None:
    def role(module: str) -> str:
        return ".".join(module.split(".")[:2])

    found = {
        f"{module} imports {name}"
        for module, path in modules("roles")
        for name in imports(path)
        # The list of components, which stands beside the roles, is the one thing that knows them.
        if name.startswith("roles.") and path.parent.name != "roles" and role(name) != role(module)
    }
    assert found == set()


def test_the_imports_are_found_at_all() -> None:
    found = {name for _, path in modules("roles") for name in imports(path)}
    assert {"engine.paths", "audit.tree"} <= {".".join(it.split(".")[:2]) for it in found}
