"""Figures of a host: made of what it measured, compared with those before, held against the budgets. Pure.

Names, titles and meanings stand in the schema of the inventory, under `budgets`: whatever is measured
can be limited. The unit is in the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from roles.verification.acceptance import FAILED, PASSED, SKIPPED, Check, Evidence, Measured, Metric
from schemas.data.contract import contract
from schemas.reading.validate import schema

# In the order in which they are shown.
GROUPS = {
    "answers": "Answers",
    "start": "Start",
    "memory": "Memory",
    "disk": "Disk",
    "run": "Run that switched",
}
UNITS = {"seconds": "s", "mib": "MiB", "gib": "GiB"}

# Those that sum a host up, by the shortest name that distinguishes them.
TOTALS = {
    "chat_seconds": "Chat",
    "ui_chat_seconds": "Chat in the browser",
    "all_ready_seconds": "Ready",
    "memory_mib": "Memory",
    "disk_gib": "Disk",
    "run_seconds": "Run",
    "download_mib": "Received",
}

# What a total is made of, so that it can be shown what of it grew.
_PARTS = {
    "memory_mib": "memory",
    "disk_gib": "disk",
    "all_ready_seconds": "start",
    "run_seconds": "run",
}

# Figures of a component that the schema does not name: what their names end with → group, title, meaning.
_FORMS = {
    "_ready_seconds": ("start", "{} ready", "Seconds from the start of its process until it answers."),
    "_branch_seconds": ("run", "{} branch", "Seconds of its branch of that run."),
    "_memory_mib": ("memory", "{}", "MiB of main memory of its processes (PSS)."),
    "_mib": ("disk", "{}", "MiB on the disk."),
}


def known() -> Mapping[str, Mapping[str, Any]]:
    """Figure → its rule in the schema: title, description, group."""
    rules: Mapping[str, Mapping[str, Any]] = schema("inventory")["$defs"]["budgets"]["properties"]
    return rules


def rule(name: str) -> Mapping[str, Any]:
    """The rule of a figure: the schema's, or one of the same form for a component that it does not name.

    A name of another form belongs to no group.
    """
    if name in known():
        return known()[name]
    end = next((it for it in _FORMS if re.fullmatch(f"[a-z][a-z0-9_-]*{it}", name)), "")
    group, title, meaning = _FORMS.get(end, ("", "{}", ""))
    whose = name.removesuffix(end).replace("_", " ").capitalize()
    return {"x-group": group, "title": title.format(whose), "description": meaning}


def of_group(group: str, names: Iterable[str]) -> list[str]:
    """The figures of a group among these: as the schema orders them, then those that it does not name."""
    order = list(known())
    found = [it for it in names if rule(it)["x-group"] == group]
    return sorted(found, key=lambda it: (order.index(it) if it in order else len(order), it))


def unit(name: str) -> str:
    """The unit of a figure, as it is shown."""
    return UNITS[name.rpartition("_")[2]]


def quantity(value: float, unit: str) -> str:
    """A measured value for people: three digits, unless it needs more."""
    if unit == "s" and abs(value) < 0.0995:
        return f"{1000 * value:.0f} ms"
    digits = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 or unit == "s" else 2
    return f"{value:,.{digits}f} {unit}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def limit(value: float, unit: str) -> str:
    """A budget for people, as somebody wrote it."""
    return f"{value:,g} {unit}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def figures(
    measures: Mapping[str, Any], seconds: Mapping[str, float], names: Mapping[str, str]
) -> dict[str, float]:
    """The figures of what a host measured (see measure.py), and of what checks took (`seconds`, by name).

    `names`: unit → what its figures are called by.

    What could not be measured has no entry.
    """
    receipt, branches = measures["receipt"], measures["receipt"].get("branches", {})
    starts, loads = receipt.get("starts", {}), receipt.get("loads", {})
    resident = {names[unit]: it for unit, it in measures["memory"].items() if unit in names}
    loaded = measures["model"] or {}
    received = [it["received"] for it in branches.values() if "received" in it]
    found: dict[str, float | None] = {
        **seconds,
        "all_ready_seconds": receipt.get("ready"),
        **{f"{name}_ready_seconds": starts.get(unit) for unit, name in names.items()},
        "model_load_seconds": max(loads.values(), default=None),
        "memory_mib": sum(measures["memory"].values()) / 2**20,
        **{f"{name}_memory_mib": it / 2**20 for name, it in resident.items()},
        "model_mib": loaded.get("size", 0) / 2**20,
        "model_vram_mib": loaded.get("vram", 0) / 2**20,
        "disk_gib": measures["ours"] / 2**30,
        **{f"{name}_mib": it / 2**20 for name, it in measures["disk"].items()},
        "run_seconds": receipt.get("seconds"),
        **{f"{name}_branch_seconds": it.get("seconds") for name, it in branches.items()},
        "download_mib": sum(received) / 2**20 if received else None,
    }
    # A branch may be a job beside those of the components: such as the schema does not name are left out.
    own = [f"{name}{end}" for name in names.values() for end in _FORMS] + [
        f"{name}_mib" for name in measures["disk"]
    ]
    ordered = dict.fromkeys((*known(), *sorted(own)))
    return {name: round(found[name], 3) for name in ordered if found.get(name)}  # type: ignore[arg-type]


def before(history: Sequence[Measured], generation: str, profile: str) -> Measured | None:
    """What one compares with: the last measurement of another generation.

    Of one with the same profile, where there is one: else the profile is all that one would see.
    """
    others = [it for it in history if it.generation != generation]
    same = [it for it in others if it.profile == profile]
    return next(reversed(same or others), None)


def compared(
    values: Mapping[str, float], earlier: Measured | None, budgets: Mapping[str, float]
) -> dict[str, Metric]:
    """Each figure beside that of the generation before and its budget."""
    was = earlier.metrics if earlier else {}
    return {
        name: Metric(value, unit(name), was.get(name), budgets.get(name)) for name, value in values.items()
    }


def label(it: Measured) -> str:
    """What was measured, for people: release and profile."""
    return ", ".join(part for part in (it.release, it.profile) if part) or it.generation


def held(last: Measured | None, budgets: Mapping[str, float]) -> list[dict[str, Any]]:
    """Each budget with what was measured last: None where that was not."""
    values = last.metrics if last else {}
    return [
        {
            **{
                "name": name,
                "title": TOTALS.get(name, rule(name)["title"]),
                "unit": unit(name),
                "limit": budgets[name],
            },
            **{"value": values.get(name), "at": last.at if last else ""},
            "generation": last.generation if last else "",
        }
        for name in known()
        if name in budgets
    ]


def budget_checks(
    values: Mapping[str, float], earlier: Measured | None, budgets: Mapping[str, float]
) -> tuple[Check, ...]:
    """A check a budget. One that is exceeded shows what grew since the generation before."""
    return tuple(_check(name, budgets[name], values, earlier) for name in known() if name in budgets)


def _check(name: str, most: float, values: Mapping[str, float], earlier: Measured | None) -> Check:
    figure = rule(name)
    title = f"{GROUPS[figure['x-group']]}: {figure['title']}, within its budget"
    whose = "Venom's contract" if contract().budgets.get(name) == most else "the inventory"
    expected = f"at most {limit(most, unit(name))} ({whose})"
    if name not in values:
        return Check(f"budget.{name}", title, SKIPPED, expected, "was not measured")
    value = values[name]
    found = quantity(value, unit(name))
    if earlier and name in earlier.metrics:
        found += (
            f" ({change(value, earlier.metrics[name], unit(name))} since {label(earlier)}, {earlier.at[:10]})"
        )
    if value <= most:
        return Check(f"budget.{name}", title, PASSED, expected, found)
    evidence = _grown(name, values, earlier)
    return Check(f"budget.{name}", title, FAILED, expected, found, evidence=evidence)


def change(value: float, was: float, unit: str) -> str:
    """How a value differs from an earlier one, for people."""
    if quantity(value, unit) == quantity(was, unit):
        return "unchanged"
    sign = "+" if value > was else "−"
    percent = round(100 * abs(value - was) / was) if was else 0
    return f"{sign}{quantity(abs(value - was), unit)}" + (f", {sign}{percent} %" if percent else "")


def _grown(name: str, values: Mapping[str, float], earlier: Measured | None) -> tuple[Evidence, ...]:
    # What was not measured before is not 0, so nothing is known to have grown.
    if earlier is None or name not in earlier.metrics:
        return ()
    group = _PARTS.get(name)
    names = of_group(group, values) if group else [name]
    rows = [
        (values[it] - earlier.metrics.get(it, 0.0), it)
        for it in names
        if quantity(values[it], unit(it)) != quantity(earlier.metrics.get(it, 0.0), unit(it))
    ]
    lines = [
        f"{rule(it)['title']}: {quantity(earlier.metrics.get(it, 0.0), unit(it))} → "
        f"{quantity(values[it], unit(it))}"
        for more, it in sorted(rows, reverse=True)
        if more > 0
    ]
    text = "\n".join(lines) or "nothing did: this was over the budget before"
    return (Evidence("text", f"What grew since {label(earlier)}, {earlier.at[:10]}", text),)
