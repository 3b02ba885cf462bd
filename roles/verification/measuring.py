"""Measuring the current host, and remembering what was found, there and on the controller."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from engine import paths, remote
from engine.answers import data, formed, understood
from engine.component import Component
from engine.receipt import check_receipt
from engine.refusal import refuse
from engine.resources import Directory
from roles.verification import history, metrics
from roles.verification.acceptance import Check, Measured, Metric

SCRIPTS = Path(__file__).parent / "scripts"


@dataclass(frozen=True)
class Figures:
    """What was measured of a host, with all that it is compared with."""

    run: Mapping[str, Any]  # the receipt's: at, by, seconds, branches
    metrics: Mapping[str, Metric]
    history: tuple[Measured, ...]  # the oldest first, this measurement last
    checks: tuple[Check, ...]  # one a budget


def measure(
    at: str,
    host: str,
    seconds: Mapping[str, float],
    budgets: Mapping[str, float],
    components: Sequence[Component],
) -> Figures:
    """Measure the current host, `host` in the inventory; it and the controller remember the figures.

    `at`: now, UTC. `seconds`: what checks measured, by the figure's name. `components`: what is measured.
    Raises RefusedError where the host cannot be asked.
    """
    names = {it.unit: it.name for it in components if it.unit}
    sizes = {name: path for it in components for name, path in it.sizes.items()}
    question = json.dumps({"sizes": sizes, "ours": ours(components), "history": paths.MEASURED})
    answer = _output(remote.ask(remote.python("measure.py", question, SCRIPTS, modules=("reading.py",))))
    measures, values = understood(
        "how much of everything there is", answer, lambda it: measured(it, seconds, names)
    )
    receipt = measures["receipt"]
    now = Measured(at, receipt.get("generation", ""), measures["release"], measures["profile"], values)
    line = history.line(now)
    request = json.dumps({"history": paths.MEASURED, "line": line, "keep": history.KEEP})
    _output(remote.ask(remote.python("remember.py", request, SCRIPTS)))
    known = history.remembered(host, [*measures["history"], line])
    earlier = metrics.before(known, now.generation, now.profile)
    return Figures(
        run={key: receipt[key] for key in ("at", "by", "seconds", "branches") if key in receipt},
        metrics=metrics.compared(values, earlier, budgets),
        history=tuple(known),
        checks=metrics.budget_checks(values, earlier, budgets),
    )


def ours(components: Iterable[Component]) -> list[str]:
    """The folders whose contents are ours, or the operator's: all of them, whatever profile a host had."""
    declared = [resource for it in components for resource in (*it.prerequisites, *it.leftovers)]
    return [it.path for it in declared if isinstance(it, Directory) and (it.ours or it.keeps)]


class Measures(TypedDict):
    """The form of what measure.py prints."""

    receipt: dict[str, Any]
    release: str
    profile: str
    memory: dict[str, int]
    model: dict[str, int] | None
    disk: dict[str, int]
    ours: int
    history: list[str]


def measured(
    text: str, seconds: Mapping[str, float], names: Mapping[str, str]
) -> tuple[Measures, dict[str, float]]:
    """What the script printed, and its figures. Raises what `answers.data` raises, or TypeError."""
    measures = data(text, Measures)
    receipt = measures["receipt"]
    check_receipt(receipt)
    formed(receipt.get("branches", {}), dict[str, dict[str, Any]])
    formed(receipt.get("seconds", 0), float)
    return measures, metrics.figures(measures, seconds, names)


def _output(answer: remote.Answer) -> str:
    if answer.ok:
        return answer.stdout
    raise refuse(
        "a host that can be measured by root (python3 answers)", answer.stderr.strip() or "no answer"
    )
