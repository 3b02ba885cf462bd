"""What a run is going to do on a host, shown before it does anything: in a dry run, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pyinfra.context import host

from engine.receipt import applied_by
from fleet.assessment import Assessment
from schemas.plan.compare import applied_changes, follow

# More lines than these are shown as a number.
SHOWN = 15


def preview(assessment: Assessment, wave: str) -> None:
    """Tell how the plan differs from what was applied, what must be made for it, and what restarts.

    `wave`: in which the host switches; empty where all switch at once.
    """
    for line in lines(assessment, wave):
        host.log(line)


def lines(assessment: Assessment, wave: str = "") -> list[str]:
    """The text of the preview, a line each."""
    preview = list(_changes(applied_by(assessment.observed.receipt), assessment.generation.applied))
    makes = [job.title for job in assessment.planned.jobs if not job.done(assessment.observed)]
    preview.append(f"to be made: {', '.join(makes)}" if makes else "nothing has to be built or downloaded")
    preview += _services(assessment)
    return [*preview, f"switches in: {wave}"] if wave and assessment.switches else preview


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    if not before["plan"]:
        yield "nothing was applied here before"
        return
    found = applied_changes(before, after)
    lines = [f"{name}: {change}" for name, change in (found.declared or found.plan).items()]
    yield from lines[:SHOWN]
    if len(lines) > SHOWN:
        yield f"and {len(lines) - SHOWN} more changes of the {'inventory' if found.declared else 'plan'}"
    if found.following:
        yield follow(len(found.following))


def _services(assessment: Assessment) -> Iterator[str]:
    observed, generation = assessment.observed, assessment.generation
    differ = [it for it in generation.services if not it.runs(observed)]
    active = {unit for unit, it in observed.units.items() if it.get("ActiveState") == "active"}
    reloads = [it.unit for it in differ if it.reloads and it.unit in active]
    restarts = [it.unit for it in differ if it.unit not in reloads]
    silent = [it.unit for it in generation.services if it.silence(observed)]
    goes_on = [it.unit for it in generation.services if it.runs(observed) and it.unit not in silent]
    stops = [
        unit for unit in generation.stopped if observed.units.get(unit, {}).get("ActiveState") == "active"
    ]
    by_verb = (
        ("starts", restarts),
        ("reloads", reloads),
        ("stops", stops),
        ("waits for", silent),
        ("keeps running", goes_on),
    )
    for verb, units in by_verb:
        if units:
            yield f"{verb}: {', '.join(unit.removesuffix('.service') for unit in units)}"
