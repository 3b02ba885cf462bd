"""The audit as a person reads it: a line a package, those that every start needs first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_HEAD = ("package", "when", "critical", "class", "decision")
_MEASURED = ("ms", "ms, all", "MB", "MB, all", "on disk")
_INDENT = " " * 4


def table(found: Mapping[str, Any], *, ways: bool = True) -> str:
    """The whole audit; with `ways`, each package with the chain of imports that leads to it."""
    measured = bool(found.get("measured"))
    head = (*_HEAD, *(_MEASURED if measured else ()))
    lines = [_cells(entry, measured) for entry in found["packages"]]
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    texts = [*_summary(found), "", _line(head, widths)]
    for entry, cells in zip(found["packages"], lines, strict=True):
        texts.append(_line(cells, widths))
        if ways:
            texts += _way(entry)
    return "\n".join([*texts, *_problems(found)])


def _cells(entry: Mapping[str, Any], measured: bool) -> tuple[str, ...]:
    tops = dict.fromkeys(name.split(".")[0] for name in entry["modules"])
    others = [name for name in tops if name != entry["package"].replace("-", "_")]
    name = f"{entry['package']} ({', '.join(others)})" if others else entry["package"]
    cells = (
        name,
        entry["when"],
        "yes" if entry["critical"] else "no",
        entry["class"] or "?",
        entry["decision"] or "not in the matrix",
    )
    return (*cells, *_figures(entry.get("measured", {}))) if measured else cells


def _figures(figures: Mapping[str, Any]) -> tuple[str, ...]:
    def text(name: str, unit: float, form: str) -> str:
        return format(figures[name] / unit, form) if name in figures else "-"

    return (
        text("import_us", 1e3, ".0f"),
        text("import_all_us", 1e3, ".0f"),
        text("memory", 1e6, ".1f"),
        text("memory_all", 1e6, ".1f"),
        text("installed", 1e6, ".1f"),
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _way(entry: Mapping[str, Any]) -> Iterable[str]:
    if entry["note"]:
        yield f"{_INDENT}{entry['note']}"
    if entry["way"]:
        yield f"{_INDENT}{' > '.join(entry['way'])}"
    if (more := len(entry["places"]) - 1) > 0:
        yield f"{_INDENT}and {more} more place{'s' if more > 1 else ''}"


def _summary(found: Mapping[str, Any]) -> Iterable[str]:
    modules = dict(found["modules"])
    total = modules.pop("all")
    reached = ", ".join(f"{count} {label}" for label, count in modules.items())
    critical = sum(entry["critical"] for entry in found["packages"])
    yield f"{found['source']}: {total} modules, reached from {found['entry']}: {reached}"
    packages = len(found["packages"])
    yield f"{packages} packages, {critical} of them needed by every start ({found['seconds']} s)"
    if measured := found.get("measured"):
        memory = (measured["resident"][1] - measured["resident"][0]) / 1e6
        yield (
            f"measured with Python {measured['python']}: {measured['seconds']} s to import,"
            f" {memory:.0f} MB of memory; {measured['packages']} packages are installed,"
            f" {measured['installed'] / 1e6:.0f} MB"
        )


def _problems(found: Mapping[str, Any]) -> Iterable[str]:
    for title, texts in (
        ("imported, but not in this source", found["lacking"]),
        ("not readable as Python", found["unread"]),
        ("predicted and measured differ", found.get("measured", {}).get("differ", [])),
    ):
        if texts:
            yield from ("", f"{title}:", *(f"{_INDENT}{text}" for text in texts))
