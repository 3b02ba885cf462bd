"""An acceptance as one page that opens offline: no request, no script, everything in it. Pure.

    python -m roles.verification.report reports/2026-11-22T03-10-00Z/report.json

makes index.html beside the document again, without any host.
"""

from __future__ import annotations

import argparse
import base64
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from engine.progress import moment
from roles.verification import metrics, plots
from roles.verification.acceptance import (
    FAILED,
    PASSED,
    SKIPPED,
    UNREACHED,
    Acceptance,
    Check,
    HostAcceptance,
    Measured,
    Metric,
    read,
)
from roles.verification.plots import Plot
from roles.verification.timeline import Timeline, timeline

FILE = "index.html"
TEMPLATES = Path(__file__).parent / "templates"

_SIGNS = {PASSED: "✓", FAILED: "✕", SKIPPED: "–", UNREACHED: "✕"}
_FIRST = (FAILED, UNREACHED, PASSED)  # the hosts that need somebody come first
# What an image begins with: nothing else is put into the page as one.
_IMAGES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


@dataclass(frozen=True)
class Verdict:
    """What it comes to."""

    title: str
    text: str
    checks: str


@dataclass(frozen=True)
class Row:
    """A figure as it is shown."""

    title: str
    meaning: str
    metric: Metric
    change: str
    over: bool


@dataclass(frozen=True)
class Shot:
    """A screenshot, whole, as the address of an image."""

    title: str
    alt: str
    data: str


@dataclass(frozen=True)
class HostView:
    """What the page shows of one host."""

    it: HostAcceptance
    id: str
    ids: Mapping[str, str]  # check → its place in the page
    passed: int
    tried: int
    failures: tuple[Check, ...]
    timeline: Timeline | None
    before: Measured | None
    groups: tuple[tuple[str, tuple[Row, ...]], ...]
    plots: tuple[Plot, ...]
    columns: Mapping[str, str]  # figures of the table of all measurements, with their short names
    shots: tuple[Shot, ...]


def write(acceptance: Acceptance, folder: Path) -> Path:
    """Write `index.html` into the folder of the document, where its screenshots lie; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path, part = folder / FILE, folder / f"{FILE}.part"
    part.write_text(render(acceptance, lambda name: _file(folder, name)), encoding="utf-8")
    return part.rename(path)


def _file(folder: Path, name: str) -> bytes | None:
    path = folder / name
    # A document from elsewhere may name what it likes: only what lies beside it is shown.
    return path.read_bytes() if path.name == name and path.is_file() else None


def render(acceptance: Acceptance, file: Callable[[str], bytes | None]) -> str:
    """The page. `file`: the bytes of what evidence names; None where it is not there."""
    ordered = sorted(acceptance.hosts, key=lambda it: _FIRST.index(it.result))
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            it=acceptance,
            hosts=[_view(host, f"host-{at}", file) for at, host in enumerate(ordered, 1)],
            verdict=_verdict(acceptance),
            signs=_SIGNS,
            plotted=plots.available(),
            install=plots.INSTALL,
            css=style(),
        )
    )


def _verdict(acceptance: Acceptance) -> Verdict:
    results = [check.result for host in acceptance.hosts for check in host.checks]
    counted = [f"{results.count(it)} {it}" for it in (PASSED, FAILED, SKIPPED) if it in results]
    hosts = acceptance.hosts
    sentences = []
    for result, word in ((FAILED, "failed"), (UNREACHED, "could not be reached or observed")):
        names = [host.name for host in hosts if host.result == result]
        if names:
            sentences.append(f"{_hosts(len(names))} of {len(hosts)} {word}: {', '.join(names)}.")
    every = "The host" if len(hosts) == 1 else f"All {len(hosts)} hosts"
    return Verdict(
        title="Accepted" if acceptance.result == PASSED else "Not accepted",
        text=" ".join(sentences)
        or (f"{every} passed every check that applies." if hosts else "No host was tested."),
        checks=", ".join(counted) or "none",
    )


def _hosts(count: int) -> str:
    return "1 host" if count == 1 else f"{count} hosts"


def _view(host: HostAcceptance, id: str, file: Callable[[str], bytes | None]) -> HostView:
    budgets = {name: it.budget for name, it in host.metrics.items() if it.budget is not None}
    tried = [it for it in host.checks if it.result != SKIPPED]
    measured = {name for it in host.history for name in it.metrics}
    return HostView(
        it=host,
        id=id,
        ids={check.name: f"{id}-check-{at}" for at, check in enumerate(host.checks, 1)},
        passed=sum(1 for it in tried if it.result == PASSED),
        tried=len(tried),
        failures=tuple(it for it in host.checks if it.result == FAILED),
        timeline=timeline(host.run),
        before=metrics.before(host.history, host.generation, host.profile),
        groups=tuple(_groups(host.metrics)),
        plots=tuple(plots.plots(host.history, budgets)),
        columns={name: title for name, title in metrics.TOTALS.items() if name in measured},
        shots=tuple(_shots(host, file)),
    )


def _groups(measured: Mapping[str, Metric]) -> list[tuple[str, tuple[Row, ...]]]:
    groups = [(title, metrics.of_group(key, measured)) for key, title in metrics.GROUPS.items()]
    return [
        (title, tuple(_row(metrics.rule(name), measured[name]) for name in names))
        for title, names in groups
        if names
    ]


def _row(rule: Mapping[str, Any], it: Metric) -> Row:
    return Row(
        title=rule["title"],
        meaning=rule["description"].replace("`", ""),
        metric=it,
        change="" if it.before is None else metrics.change(it.value, it.before, it.unit),
        over=it.budget is not None and it.value > it.budget,
    )


def _shots(host: HostAcceptance, file: Callable[[str], bytes | None]) -> list[Shot]:
    found = []
    for check in host.checks:
        for one in check.evidence:
            content = file(one.file) if one.kind == "screenshot" and one.file else None
            kind = next((it for begin, it in _IMAGES.items() if content and content.startswith(begin)), "")
            if content and kind:
                data = f"data:{kind};base64,{base64.b64encode(content).decode()}"
                found.append(
                    Shot(check.title, f"{one.title} on {host.name}; {check.title}: {check.result}", data)
                )
    return found


def style() -> Markup:
    """The style of pages, as it stands in them."""
    return Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))


@cache
def environment(*folders: Path) -> Environment:
    """The templates of pages, after those in `folders`. Everything that is put into one is escaped."""
    environment = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_plain,
    )
    environment.filters.update(
        moment=moment,
        quantity=metrics.quantity,
        limit=metrics.limit,
        label=metrics.label,
        unit=metrics.unit,
    )
    return environment


# Control characters have no place in a page; those of terminals' colours come with journals.
_CONTROL = re.compile(r"\x1b\[[0-9;]*m|[\x00-\x08\x0b-\x1f\x7f]")


def _plain(value: Any) -> Any:
    return _CONTROL.sub("", value) if type(value) is str else value


def main(arguments: Sequence[str]) -> int:
    """Make the page of a document anew."""
    parser = argparse.ArgumentParser(
        prog="python -m roles.verification.report",
        description="Write the page of an acceptance again from its report.json, without any host.",
    )
    parser.add_argument("document", type=Path, help="report.json of an acceptance")
    path = parser.parse_args(arguments).document
    try:
        print(write(read(path), path.parent))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(
            f"required  a document that deploy/verify.py wrote\nfound     {path}: {error}\n"
            "do        name its report.json",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
