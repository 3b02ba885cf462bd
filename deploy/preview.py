"""What a run is going to do on a host, told before it does anything: in a dry run, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pyinfra.context import host

from deploy.survey import Survey
from schemas.show import to_dict

# More lines than these are told as a number.
TOLD = 15
# What follows from a version that is told.
IMPLIED = {"artifact", "min_driver", "need", "uv"}


def preview(survey: Survey) -> None:
    """Tell how the plan differs from what was applied, what must be made for it, and what restarts."""
    for line in lines(survey):
        host.log(line)


def lines(survey: Survey) -> list[str]:
    """The text of the preview, a line each."""
    applied = survey.seen.receipt.get("applied", {}).get("plan", {})
    told = list(_plan(applied, to_dict(survey.plan))) if applied else ["nothing was applied here before"]
    if len(told) > TOLD:
        told = [*told[:TOLD], f"and {len(told) - TOLD} more changes of the plan"]
    makes = [job.title for job in survey.jobs if not job.done(survey.seen)]
    told.append(f"to be made: {', '.join(makes)}" if makes else "nothing has to be built or downloaded")
    return told + list(_services(survey))


def _plan(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """One line for each leaf of the plan that is not what it was."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after} - IMPLIED):
            yield from _plan(before.get(key), after.get(key), f"{path}.{key}" if path else key)
    elif before != after and not (_empty(before) and _empty(after)):
        yield f"{path}: {_short(before)} -> {_short(after)}"


def _empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _short(value: Any) -> str:
    if _empty(value):
        return "none"
    if isinstance(value, Mapping):
        return str(value.get("version") or value.get("name") or f"{len(value)} values")
    if isinstance(value, list):
        return ", ".join(_short(it) for it in value)
    return str(value)


def _services(survey: Survey) -> Iterator[str]:
    seen, generation = survey.seen, survey.generation
    restarts = [it.unit for it in generation.services if not it.runs(seen)]
    goes_on = [it.unit for it in generation.services if it.runs(seen)]
    stops = [unit for unit in generation.stopped if seen.units.get(unit, {}).get("ActiveState") == "active"]
    for verb, units in (("starts", restarts), ("stops", stops), ("goes on undisturbed", goes_on)):
        if units:
            yield f"{verb}: {', '.join(unit.removesuffix('.service') for unit in units)}"
