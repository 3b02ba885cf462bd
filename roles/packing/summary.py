"""What was packed, as the build host recorded it, and how an inventory names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyinfra.api.command import FunctionCommand, QuoteString, StringCommand
from pyinfra.api.operation import operation

from engine import outcome, remote
from engine.answers import data, understood
from engine.operations import Commands, fail
from engine.refusal import RefusedError, refuse
from roles.packing.contents import IMAGES, Contents
from roles.packing.publication import Publication


@operation()
def summary_reported(images: Sequence[Contents], publication: Publication | None) -> Commands:
    """
    Note for the end of the run what was packed, and how an inventory names it.

    + images: what was packed
    + publication: where it went
    """
    yield FunctionCommand(_print_summary, (images, publication), {})


def _print_summary(
    state: Any, host: Any, images: Sequence[Contents], publication: Publication | None
) -> bool:
    try:
        known = records(images)
    except RefusedError as refusal:
        return fail(state, host, str(refusal))
    outcome.serves(host.name, summary(images, publication, known))
    return True


def records(images: Sequence[Contents]) -> dict[str, dict[str, Any]]:
    """What is recorded of each packed image, by path; of one that is not there, nothing."""
    lines = "; ".join(f"echo {it.path} $(cat {it.path}/record.json 2>/dev/null)" for it in images)
    answer = remote.ask(StringCommand("sh", "-c", QuoteString(lines)))
    if not answer.ok:
        raise refuse("a host that reports what was packed", answer.stderr.strip() or "no answer")
    return understood("what was packed", answer.stdout, records_in)


def records_in(text: str) -> dict[str, dict[str, Any]]:
    """The records in what the host printed, by path. Raises what `answers.data` raises."""
    found = (line.partition(" ") for line in text.splitlines())
    return {path: data(record, dict[str, Any]) for path, _, record in found if record.strip()}


def summary(
    images: Sequence[Contents], publication: Publication | None, known: Mapping[str, Mapping[str, Any]]
) -> str:
    """Sizes, and the lines for an inventory that installs from these images."""
    lines = ["packed, in MB:"]
    for it in images:
        record, budget = known[it.path], it.variant.budget_mb
        of = f" of {budget}" if budget else ""
        lines.append(
            f"{it.variant.name:<22} installed {record['installed_mb']}{of},"
            f" image {record['unpacked_mb']}, to pull {record['pull_mb']}"
        )
    if publication is None:
        return "\n".join([*lines, f"not published; one OCI layout per image in {IMAGES}"])
    lines.append("for an inventory:")
    for it in images:
        kind = "backend" if it.variant.tiers else "frontend"
        tag = publication.tags[min(1, len(publication.tags) - 1)]
        reference = publication.registry.reference(it.variant.name, tag)
        lines.append(f"{kind}: {reference}@{known[it.path]['digest']}")
    return "\n".join(lines)
