"""The audit as data: what `--json` prints, what is kept and compared, and what the table shows."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from audit.graph import Reach, Use, reach
from audit.packages import Naming, Row, rows
from audit.tree import Tree
from audit.when import When
from schemas.data.dependencies import Matrix

FORMAT = 1
ENTRY = "venom_core.main"


def audit(tree: Tree, matrix: Matrix, entry: str = ENTRY, naming: Naming = lambda _: None) -> dict[str, Any]:
    """What `entry` of `tree` imports. Raises SourceError where the tree has no such module."""
    begun = time.monotonic()
    found = reach(tree, entry, matrix.imports)
    listed = [_entry(row, matrix) for row in rows(found, matrix, naming)]
    top = entry.split(".", maxsplit=1)[0]
    return {
        "format": FORMAT,
        "source": tree.name,
        "entry": entry,
        "modules": {
            "all": sum(name.split(".")[0] == top for name in tree.modules),
            **_counted(found.modules),
        },
        "start_up": sorted(name for name, when in found.modules.items() if when == When.START),
        "packages": listed,
        "lacking": [f"{use.at}: {use.name} ({use.when.label})" for use in found.lacking],
        "unread": list(found.unread),
        "seconds": round(time.monotonic() - begun, 2),
    }


def start_up(tree: Tree, matrix: Matrix, entry: str = ENTRY) -> dict[str, list[str]]:
    """The packages that every start needs, each with the way from the entry point ("path:line")."""
    found: Reach = reach(tree, entry, matrix.imports)
    return {row.package: [str(step) for step in row.way] for row in rows(found, matrix) if row.critical}


def _counted(modules: Mapping[str, When]) -> dict[str, int]:
    counted = Counter(when.label for when in modules.values())
    return {when.label: counted[when.label] for when in When if counted[when.label]}


def _entry(row: Row, matrix: Matrix) -> dict[str, Any]:
    decided = matrix.of(row.package)
    return {
        "package": row.package,
        "modules": list(row.modules),
        "class": decided.kind if decided else "",
        "decision": decided.decision if decided else "",
        "when": row.when.label,
        "critical": row.critical,
        "way": [str(step) for step in row.way],
        "note": row.note,
        "places": [_place(use) for use in row.uses],
    }


def _place(use: Use) -> dict[str, str]:
    return {
        "at": str(use.at),
        "imports": use.name,
        "by": use.how,
        "statement": use.here.label,
        "when": use.when.label,
    }
