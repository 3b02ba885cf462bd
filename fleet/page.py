"""How a fleet stands as one page that opens offline: no request, no script, everything in it. Pure.

    pyinfra --json inventories/office.py deploy/status.py >status.json
    python -m fleet.page status.json

makes status.html beside the document, which is its only source.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.progress import duration, moment, size
from roles.status.report import DRIFT, ERROR, IN_SYNC
from roles.verification.report import environment, style
from schemas.plan.memory import gib

_TEMPLATES = Path(__file__).parents[1] / "roles" / "status" / "templates"
_SIGNS = {IN_SYNC: "✓", DRIFT: "≠", ERROR: "✕"}
# By which class of the pages' style a state is shown.
_KINDS = {IN_SYNC: "passed", DRIFT: "skipped", ERROR: "failed"}
_FIRST = (ERROR, DRIFT, IN_SYNC)  # the hosts that need somebody come first


@dataclass(frozen=True)
class Verdict:
    """What it comes to."""

    state: str
    title: str
    text: str


@dataclass(frozen=True)
class HostView:
    """What the page shows of one host, beside what the document has of it."""

    name: str
    id: str
    it: Mapping[str, Any]

    @property
    def differ(self) -> int:
        """How many things are not as they should be."""
        return len(self.it["drift"]["from_receipt"]) + len(self.it["drift"]["from_plan"])

    @property
    def serves(self) -> str:
        """What serves there, in a line."""
        if not self.it["provisioned"]:
            return "What it serves is not known." if self.it["errors"] else "Nothing was provisioned here."
        return f"{self.it['venom'] or 'Unknown'}, {self.it['profile'] or 'unknown profile'}"

    @property
    def budgets(self) -> str:
        """Those that are exceeded, or how many are not."""
        measured = [it for it in self.it["budgets"] if it["value"] is not None]
        over = [it["title"].lower() for it in measured if it["value"] > it["limit"]]
        if over:
            return f"over: {', '.join(over)}"
        return f"{len(measured)} kept" if measured else ""

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What else there is to be known, by short names."""
        it = self.it
        by = f" by {it['applied_by']}" if it["applied_by"] else ""
        versions = ", ".join(f"{name} {version}" for name, version in it["versions"].items() if version)
        found = [
            ("changed now by", it["lock"]),
            ("VRAM tier", it.get("vram_tier", "")),
            ("model", _model(it["model"]) if it["model"] else ""),
            *(("card", card) for card in it["cards"]),
            *(("remark", remark) for remark in it["remarks"]),
            ("versions", versions),
            ("store", f"{it['store']['held']} of {it['store']['items']} items" if it.get("store") else ""),
            ("last backup", _backup(it["backups"]) if it.get("backups") else ""),
            ("certificate", it["certificate"].rpartition(", ")[2]),
            ("generation", it["generation"]),
            ("last run", f"{moment(it['applied_at'])}{by}" if it["applied_at"] else ""),
        ]
        return [(name, value) for name, value in found if value]


def _model(model: Mapping[str, Any]) -> str:
    if not model["known"]:
        return f"{model['name']}, unknown: Ollama does not answer"
    if not model["digest"]:
        return f"{model['name']} is not there"
    if not model["size"]:
        return f"{model['name']}, not loaded"
    return f"{model['name']}, {gib(model['vram'])} of {gib(model['size'])} in VRAM"


def _backup(backups: Mapping[str, Any]) -> str:
    made = moment(backups["last_success"]) if backups["last_success"] else "none yet"
    return f"{made}, failed at {moment(backups['failed_at'])}" if backups["failed_at"] else made


def render(document: Mapping[str, Any]) -> str:
    """The page of what deploy/status.py printed. Raises KeyError or TypeError where it is nothing of that."""
    ordered = sorted(document["hosts"].items(), key=lambda it: _FIRST.index(it[1]["state"]))
    hosts = [HostView(name, f"host-{at}", it) for at, (name, it) in enumerate(ordered, 1)]
    now = max((host.it["now"] for host in hosts), default=0)
    templates = environment(_TEMPLATES)
    templates.filters.update(duration=duration, gib=gib, size=size)
    return templates.get_template("page.html.j2").render(
        hosts=hosts,
        verdict=verdict(hosts),
        at=datetime.fromtimestamp(now, UTC).isoformat() if now else "",
        kinds=_KINDS,
        signs=_SIGNS,
        css=style(),
    )


def verdict(hosts: Sequence[HostView]) -> Verdict:
    """What all hosts come to: the worst of them decides."""
    named = {state: [it.name for it in hosts if it.it["state"] == state] for state in _FIRST}
    words = {ERROR: "could not be judged", DRIFT: "not in sync"}
    texts = [
        f"{len(names)} of {len(hosts)} {words[state]}: {', '.join(names)}."
        for state, names in named.items()
        if state in words and names
    ]
    worst = next((state for state in _FIRST if named[state]), IN_SYNC)
    if not texts:
        every = "The host is" if len(hosts) == 1 else f"All {len(hosts)} hosts are"
        return Verdict(worst, f"{every} in sync" if hosts else "No hosts", "")
    return Verdict(worst, "The fleet needs somebody", " ".join(texts))


def write(document: Path) -> Path:
    """Write the page beside the document; returns its path. Raises OSError, or what `render` does."""
    path = document.with_suffix(".html")
    part = path.with_suffix(".part")
    part.write_text(render(json.loads(document.read_text(encoding="utf-8"))), encoding="utf-8")
    return part.rename(path)


def main(arguments: Sequence[str]) -> int:
    """Make the page of a document."""
    parser = argparse.ArgumentParser(
        prog="python -m fleet.page",
        description="Write how a fleet stands as a page, from what deploy/status.py printed as JSON.",
    )
    parser.add_argument("document", type=Path, help="what deploy/status.py printed with --json")
    path = parser.parse_args(arguments).document
    try:
        print(write(path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(
            f"required  what deploy/status.py prints with --json\nfound     {path}: {error}\n"
            "do        pyinfra --json INVENTORY deploy/status.py >status.json",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
