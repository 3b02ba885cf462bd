"""A report as an operator reads it: one table a host. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from engine.following import folded
from engine.progress import duration, moment, size
from engine.resources import Difference
from roles.status.report import DRIFT, ERROR, IN_SYNC, ModelReport, Report, ServiceReport
from schemas.plan.memory import gib

_COLORS = {IN_SYNC: "green", DRIFT: "yellow", ERROR: "red"}
_LABEL = 10
_WIDTH = 110

Row = tuple[str, str]


def table(report: Report) -> str:
    """The report of the host: a line with how it stands, then a line a subject."""
    head = f"{report.host} ({report.address}): {click.style(report.state, _COLORS[report.state], bold=True)}"
    rows = [*_rows(report), *_drift(report), *(("error", it) for it in report.errors)]
    lines, previous = [head], ""
    for label, text in rows:
        lines += _lines(label if label != previous else "", text)
        previous = label
    return "\n".join(lines)


def _lines(label: str, text: str) -> list[str]:
    first, *others = text.splitlines()
    indent = " " * (_LABEL + 4)
    # What is reported of one thing goes on deeper, so that a list stays a list.
    wrapped = textwrap.wrap(first, _WIDTH - len(indent), subsequent_indent="    ", break_on_hyphens=False)
    lines = [f"  {label:<{_LABEL}}  {wrapped[0]}"]
    return lines + [f"{indent}{it}".rstrip() for it in (*wrapped[1:], *others)]


def _rows(report: Report) -> list[Row]:
    busy = [("now", f"{report.lock}: it changes this host, or died doing so")] if report.lock else []
    if not report.provisioned:
        return busy
    versions = [f"{name} {version}" for name, version in report.versions.items() if version]
    images = [f"{name} sha256 {digest[:12]}" for name, digest in report.images.items()]
    now = {report.generation: "  (serves now)"}
    kept = [f"{it['key']}  {moment(it['at'])}  {it['name']}{now.get(it['key'], '')}" for it in report.kept]
    copied = [it for it in report.kept if it["data_at"]]
    data = [f"{it['key']}  {moment(it['data_at'])}  {size(it['data_bytes'])}" for it in copied]
    return [
        *busy,
        ("profile", report.profile or "unknown"),
        ("venom", report.venom or "unknown"),
        *([("versions", ", ".join(versions) or "unknown")] if versions or not images else []),
        *([("images", ", ".join(images))] if images else []),
        *([("vram tier", report.vram_tier)] if report.vram_tier else []),
        *([("model", _model(report.model))] if report.model else []),
        *(("card", it) for it in (*report.cards, *report.remarks)),
        *_services(report.services, report.now),
        *([("door", report.certificate)] if report.certificate else []),
        *_store(report.store),
        *(("pull", f"{it['host']}: {it['stands']}") for it in report.pulls),
        *(("backup", it) for it in (report.backups.rows() if report.backups else ())),
        ("applied", f"{moment(report.applied_at)} by {report.applied_by or 'unknown'}: {report.generation}"),
        *(("kept", line) for line in kept),
        *(("data", line) for line in data),
    ]


def _model(model: ModelReport) -> str:
    if not model.known:
        return f"{model.name}, digest unknown: Ollama does not answer"
    if not model.digest:
        return f"{model.name} is not there"
    if not model.size:
        return f"{model.name}, sha256 {model.digest[:12]}, not loaded"
    return f"{model.name}, sha256 {model.digest[:12]}, {gib(model.vram)} of {gib(model.size)} in VRAM"


def _services(services: Sequence[ServiceReport], now: int) -> list[Row]:
    rows: list[Row] = []
    for it in services:
        facts = [it.health]
        if it.since:
            at = datetime.fromtimestamp(it.since, UTC).isoformat()
            facts += [f"since {moment(at)} ({duration(now - it.since)})", gib(it.memory)]
        rows.append((it.title.lower(), ", ".join(facts)))
        if it.restarts:
            times = "once" if it.restarts == 1 else f"{it.restarts} times"
            rows.append((it.title.lower(), f"systemd restarted it {times}: journalctl -u {it.unit}"))
    return rows


def _store(store: Mapping[str, Any]) -> list[Row]:
    if not store:
        return []
    hosts = ", ".join(f"{host} {count}" for host, count in store["hosts"].items())
    rows = [
        f"{store['held']} of {store['items']} items, {size(store['bytes'])}; {size(store['free'])} free",
        *([f"for {hosts}"] if hosts else []),
    ]
    if store["unneeded"]:
        freed = (
            f"{size(store['unneeded_bytes'])} that nobody needs: deploy/venom.py --data purge=yes frees it"
        )
        rows.append(freed)
    return [("store", it) for it in rows]


def _drift(report: Report) -> list[Row]:
    if report.state == IN_SYNC:
        return [("drift", "none")]
    if not report.provisioned:
        return [] if report.errors else [("drift", "not provisioned: no run of deploy/venom.py ended here")]
    return [
        *_group("the host is not as it was left:", report.changed),
        *_group("not yet as the inventory asks:", report.pending),
    ]


def _group(title: str, differences: Iterable[Difference]) -> list[Row]:
    lines = [("drift", f"  {it}") for it in folded(differences)]
    return [("drift", title), *lines] if lines else []
