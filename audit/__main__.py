"""`python -m audit SOURCE`: which packages a Venom imports, when, and through what.

`python -m audit --advisories DATABASE [SOURCE]`: which pinned versions an advisory holds.

Exit status 0; 1 where an advisory holds something; 2 with the reason on standard error.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audit import figures, measure, tree
from audit.advisories import check as advisories
from audit.advisories import database, pinned
from audit.compare import compare
from audit.report import ENTRY, audit
from audit.table import table
from schemas.data.dependencies import matrix
from schemas.data.pins import load


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; gives the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.matrix and not (given.environment and given.release):
        parser.error(
            "--matrix needs --release and --environment: figures are measured, and named by their release"
        )
    if not given.advisories and not given.source:
        parser.error("name a source")
    try:
        if given.advisories:
            return _advisories(given)
        found = _audited(given)
        other = _other(given) if given.compare else None
        sizes = figures.heavy(_tree(given), given.release or "") if given.matrix else {}
    except tree.SourceError as error:
        print(f"audit: {error}", file=sys.stderr)
        return 2
    if given.matrix:
        print("\n".join(figures.write(found, sizes)) or "no difference")
    elif other is not None:
        changes = compare(other, found)
        print(json.dumps(changes, indent=2) if given.json else "\n".join(changes) or "no difference")
    else:
        print(json.dumps(found, indent=2) if given.json else table(found, ways=not given.short))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m audit", description="Show which packages a Venom imports, when, and through what."
    )
    parser.add_argument("source", nargs="?", help="a folder with Venom's source, or its git repository")
    parser.add_argument("--release", help="a pinned release in that repository, e.g. v1.9.0")
    parser.add_argument("--commit", help="a commit, a tag or a branch in that repository")
    parser.add_argument("--entry", default=ENTRY, help=f"the module to begin with (default: {ENTRY})")
    parser.add_argument(
        "--environment",
        metavar="FOLDER",
        type=Path,
        help="a virtual environment: import it there and measure",
    )
    parser.add_argument(
        "--compare",
        metavar="OTHER",
        help="show what changed since OTHER: a folder, a commit of the same repository, or a kept --json",
    )
    parser.add_argument(
        "--matrix",
        action="store_true",
        help=f"write the figures of {figures.PATH.name} anew and show what changed (with --environment)",
    )
    parser.add_argument(
        "--advisories",
        metavar="DATABASE",
        type=Path,
        help="show which pinned versions an advisory holds, by OSV's files in a folder or a zip file;"
        " with a source, of its Node tree, too",
    )
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="ECOSYSTEM/NAME==VERSION",
        help="with --advisories: check this, too, e.g. Debian:12/nginx==1.22.1-9+deb12u3",
    )
    parser.add_argument("--json", action="store_true", help="print one document for programs")
    parser.add_argument("--short", action="store_true", help="omit the chains of imports")
    return parser


def _advisories(given: argparse.Namespace) -> int:
    """Print what advisories hold of what is pinned; gives the exit status."""
    pins, problems = load()
    if pins is None:
        raise tree.SourceError("pins that can be read", "\n".join(map(str, problems)), "correct them")
    known = [*pinned.locked(), *pinned.in_pins(pins), *pinned.named(given.also)]
    if given.source:
        commit = given.release or given.commit
        known += pinned.in_source(Path(given.source), _commit(commit) if commit else "")
    wanted = {database.package_of(it.ecosystem, it.name) for it in known}
    found = advisories.check(known, database.read(given.advisories, wanted), datetime.now(UTC))
    print(json.dumps(found, indent=2) if given.json else advisories.table(found))
    return 1 if found["held"] or found["unclear"] else 0


def _tree(given: argparse.Namespace) -> tree.Tree:
    source, commit = Path(given.source), given.release or given.commit
    return tree.of_commit(source, _commit(commit)) if commit else tree.of_folder(source)


def _audited(given: argparse.Namespace) -> dict[str, Any]:
    read = _tree(given)
    if given.environment is None:
        return audit(read, matrix(), given.entry)
    return measure.measured(read, given.environment, matrix(), given.entry)


def _commit(name: str) -> str:
    """The commit of a pinned release; any other name as it is."""
    pins, _ = load()
    release = pins.releases.get(name) if pins else None
    return release.commit if release else name


def _other(given: argparse.Namespace) -> dict[str, Any]:
    path = Path(given.compare)
    if path.is_dir():
        return audit(tree.of_folder(path), matrix(), given.entry)
    if path.is_file():
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return found
        except ValueError as error:
            raise tree.SourceError(
                "what --json printed", f"{path}: {error}", "name a folder, a commit or such a file"
            ) from error
    return audit(tree.of_commit(Path(given.source), _commit(given.compare)), matrix(), given.entry)


if __name__ == "__main__":
    # A reader that has seen enough (head, less) ends this quietly, as it ends any other tool.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
