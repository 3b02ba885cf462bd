"""Figures as plots across releases and profiles: SVG that takes its colours from the page around it.

By matplotlib, which is an extra: who renders a report without it gets the same figures as tables.
"""

from __future__ import annotations

import importlib
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from roles.verification import metrics
from roles.verification.acceptance import Measured

INSTALL = "pip install 'venom-provisioner[verify]', or script/setup"
MOST_COLUMNS = 6
_SIZE = (4.7, 2.35)  # inches of 72 units
# matplotlib wants colours; the page has its own, light and dark. These stand for them.
_INK, _MUTED, _LINE = "#010101", "#020202", "#030303"
_SERIES = ("#0a0001", "#0a0002", "#0a0003", "#0a0004", "#0a0005")
_NAMES = {_INK: "--ink", _MUTED: "--muted", _LINE: "--line"} | {
    color: f"--series-{number}" for number, color in enumerate(_SERIES, 1)
}


@dataclass(frozen=True)
class Plot:
    """One plot, what it shows in words, and the names of its colours."""

    title: str
    unit: str
    svg: Markup
    text: str
    legend: tuple[str, ...]  # in the order of the page's colours
    budgeted: bool  # whether a budget is drawn


@dataclass(frozen=True)
class _Series:
    label: str
    values: tuple[float | None, ...]
    budget: float | None = None


def available() -> bool:
    """Whether plots can be made."""
    try:
        importlib.import_module("matplotlib")
    except ImportError:
        return False
    return True


def columns(history: Sequence[Measured]) -> list[Measured]:
    """The last measurement of each release and profile, the latest of them last."""
    last = {(it.release, it.profile): it for it in history}
    return sorted(last.values(), key=lambda it: it.at)[-MOST_COLUMNS:]


def plots(history: Sequence[Measured], budgets: Mapping[str, float]) -> list[Plot]:
    """The plots of one host; none where nothing is remembered."""
    shown = columns(history)
    if not shown or not available():
        return []
    measured = {name for it in shown for name in it.metrics}
    lines = (
        ("Answers", metrics.of_group("answers", measured)),
        ("Start", [it for it in metrics.of_group("start", measured) if it.endswith("_ready_seconds")]),
    )
    made = [
        _plot(title, "s", shown, [_series(it, shown, budgets) for it in names[: len(_SERIES)]], stacked=False)
        for title, names in lines
    ]
    memory = [it for it in metrics.of_group("memory", measured) if it.endswith("_memory_mib")]
    made += [_plot("Memory", "MiB", shown, _stack(memory, shown, "memory_mib", "Others"), stacked=True)]
    disk = [it for it in metrics.of_group("disk", measured) if it.endswith("_mib")]
    rest = "Other, earlier generations"
    made += [_plot("Disk", "GiB", shown, _stack(disk, shown, "disk_gib", rest), stacked=True)]
    return [it for it in made if it is not None]


def _series(name: str, shown: Sequence[Measured], budgets: Mapping[str, float], per: float = 1) -> _Series:
    values = (it.metrics.get(name) for it in shown)
    scaled = tuple(None if it is None else it / per for it in values)
    return _Series(metrics.rule(name)["title"], scaled, budgets.get(name))


def _stack(names: Sequence[str], shown: Sequence[Measured], total: str, rest: str) -> list[_Series]:
    """Parts that come to a total, in its unit: the largest of them, and all others as the rest."""
    largest = sorted(names, key=lambda name: max(it.metrics.get(name, 0.0) for it in shown))
    parts = [it for it in names if it in largest[1 - len(_SERIES) :]]
    per = 1024 if metrics.unit(total) == "GiB" else 1
    found = [_series(it, shown, {}, per) for it in parts]
    sums = [sum(one.values[at] or 0.0 for one in found) for at in range(len(shown))]
    # To the last digit that is measured: below that it is no rest.
    left = (round(it.metrics.get(total, 0.0) - sums[at], 2) for at, it in enumerate(shown))
    return [*found, _Series(rest, tuple(max(0.0, it) for it in left))]


def _plot(
    title: str, unit: str, shown: Sequence[Measured], wanted: Sequence[_Series], *, stacked: bool
) -> Plot | None:
    series = [it for it in wanted if any(it.values)]
    if not series:
        return None
    from matplotlib import rc_context  # noqa: PLC0415 - an extra, and slow to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "text.parse_math": False}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.add_subplot()
        if stacked:
            _bars(axes, series, unit)
        else:
            _lines(axes, series, [it.profile for it in shown])
        _dress(axes, shown)
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    sentences = (f"{metrics.label(it)}: {_sentence(series, at, unit)}" for at, it in enumerate(shown))
    return Plot(
        title=title,
        unit=unit,
        svg=_inline(out.getvalue(), title),
        text="; ".join(sentences),
        legend=tuple(it.label for it in series),
        budgeted=any(it.budget for it in series),
    )


def _sentence(series: Sequence[_Series], at: int, unit: str) -> str:
    return ", ".join(
        f"{it.label} {metrics.quantity(value, unit)}" for it in series if (value := it.values[at]) is not None
    )


def _short(text: str) -> str:
    return text if len(text) <= 9 else f"{text[:8]}…"


def _lines(axes: Any, series: Sequence[_Series], profiles: Sequence[str]) -> None:
    """A line through what has the same profile: from one profile to another nothing develops."""
    for it, color in zip(series, _SERIES, strict=False):
        for profile in dict.fromkeys(profiles):
            points = [
                (at, value)
                for at, value in enumerate(it.values)
                if value is not None and profiles[at] == profile
            ]
            if points:
                axes.plot(*zip(*points, strict=True), color=color, marker="o", markersize=4.5, linewidth=1.6)
        if it.budget:
            axes.axhline(it.budget, color=color, linewidth=1, linestyle=(0, (4, 3)))
    most = max(value for it in series for value in (*it.values, it.budget) if value is not None)
    axes.set_ylim(0, most * 1.12)


def _bars(axes: Any, series: Sequence[_Series], unit: str) -> None:
    places = range(len(series[0].values))
    bottom = [0.0 for _ in places]
    for it, color in zip(series, _SERIES, strict=False):
        values = [value or 0.0 for value in it.values]
        axes.bar(places, values, 0.56, bottom=bottom, color=color)
        bottom = [low + value for low, value in zip(bottom, values, strict=True)]
    for at, total in enumerate(bottom):
        text = metrics.quantity(total, unit).partition(" " + unit)[0]
        axes.annotate(text, (at, total), (0, 3), textcoords="offset points", ha="center", size=9, color=_INK)
    axes.set_ylim(0, max(bottom) * 1.16)


def _dress(axes: Any, shown: Sequence[Measured]) -> None:
    # A single column is no wider than one of several.
    axes.set_xlim(-0.6, max(len(shown), 3) - 0.4)
    axes.set_xticks(range(len(shown)), [_short(it.release) for it in shown], color=_INK, size=9)
    below = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
    for at, it in enumerate(shown):
        # A line of its own: text of several lines would be laid out for a font that the page may not have.
        axes.annotate(_short(it.profile), (at, 0), (0, -25), ha="center", size=9, color=_MUTED, **below)
    axes.tick_params(axis="y", labelcolor=_MUTED, labelsize=9, length=0)
    axes.tick_params(axis="x", length=0, pad=5)
    axes.yaxis.get_major_locator().set_params(nbins=4, min_n_ticks=3)
    axes.grid(axis="y", color=_LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(_LINE)


def _inline(svg: str, title: str) -> Markup:
    """An SVG for the inside of a page: no prologue, nobody else's ids, and the page's own colours."""
    text = svg[svg.index("<svg ") :]
    text = re.sub(r"<(metadata|style).*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]+;? ?", "", text)
    prefix = re.sub(r"\W", "", title).lower()
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda it: f' id="{prefix}-{it[1]}"' if it[1] in used else "", text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{prefix}-", text)
    for color, name in _NAMES.items():
        text = text.replace(color, f"var({name})")
    # The page says how large it is, and what it shows.
    text = re.sub(
        r'<svg [^>]*?(viewBox="[^"]+")[^>]*>', r'<svg \1 aria-hidden="true" focusable="false">', text
    )
    return Markup(text)
