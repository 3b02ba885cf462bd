"""The gate: whether a lock has all that a start of this source needs, and nothing that light must not have.

The audit and the matrix are read once for a source and a lock: what they found is kept beside the
source's archive, so a run with nothing to do reads a line of JSON.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import audit
from engine.archive import Archive
from engine.refusal import Finding, RefusedError, refuse
from roles.backend.requires import Listed, chain, listed
from schemas.data import dependencies
from schemas.data.contract import contract
from schemas.model import HostPlan

# The names of the files that the resolver was given beside those of the source.
OPERATOR, MATRIX = "added.in", "start-up.in"
_NAMES = {OPERATOR: "`requirements.add`", MATRIX: "the matrix"}


@dataclass(frozen=True)
class Verdict:
    """What the gate found."""

    missing: Mapping[str, Sequence[str]]  # package that a start needs → the way to its import
    excluded: Sequence[Finding]  # what it must not have
    refused: Sequence[str]  # names of import that the process must not have, once it has started


def judge(plan: HostPlan, archive: Archive, lock: str) -> Verdict:
    """Hold a lock's text against the source. Raises RefusedError where the source cannot be audited."""
    requested = (plan.profile, plan.requirements)
    digest = hashlib.sha256(f"{_recipe()}\0{lock}\0{requested}".encode()).hexdigest()
    found: dict[str, Any] = archive.cached(f"gate {digest[:32]}", lambda: _judge(plan, archive, lock))
    return Verdict(found["missing"], [Finding(*it) for it in found["excluded"]], found["refused"])


def additions(verdict: Verdict, plan: HostPlan) -> dict[str, str]:
    """Requirements that close the gap, each with why: what the matrix says of what is missing.

    Raises RefusedError where it says nothing: with the chain of imports, for the operator to decide.
    """
    matrix = dependencies.matrix()
    found, findings = {}, []
    for package, way in verdict.missing.items():
        decided = matrix.of(package)
        reason = f"imported at start-up: {' > '.join(way)}" if way else "the start command needs it"
        if decided and decided.add:
            found[decided.add] = f"{reason}; in no file of the tier {plan.requirements.tier}"
        else:
            findings.append(_undecided(package, reason, plan))
    if findings:
        raise RefusedError(findings)
    return found


def ensure_clean(verdict: Verdict) -> None:
    """Raise RefusedError with all that the environment would get and must not have."""
    if verdict.excluded:
        raise RefusedError(verdict.excluded)


def _judge(plan: HostPlan, archive: Archive, lock: str) -> dict[str, Any]:
    matrix, light = dependencies.matrix(), _light(plan)
    have = listed(lock)
    missing = {name: way for name, way in _needed(archive).items() if name not in have}
    # A package that the operator adds and nobody else asks for may bring an import of another name.
    unexplained = _own(plan) - _needed(archive).keys()
    known = {name: way for name, way in missing.items() if matrix.of(name) or not unexplained}
    return {
        "missing": known,
        "excluded": [list(it) for it in (*(_excluded(plan, have) if light else ()), *_together(have))],
        "refused": matrix.excluded if light else [],
    }


def _needed(archive: Archive) -> dict[str, list[str]]:
    """The packages that every start of the source needs, each with the way to it."""
    return archive.cached(f"start-up {_recipe()[:32]}", lambda: _audited(archive))


def _audited(archive: Archive) -> dict[str, list[str]]:
    # Reading Python is for who has a new source only.
    from audit.report import start_up  # noqa: PLC0415
    from audit.tree import SourceError, of_tar  # noqa: PLC0415

    try:
        with archive.path.open("rb") as file:
            return start_up(of_tar(file, "Venom's source"), dependencies.matrix())
    except SourceError as error:
        raise refuse(error.required, error.found, error.remedy) from error


def _excluded(plan: HostPlan, have: Mapping[str, Listed]) -> list[tuple[str, str, str]]:
    matrix = dependencies.matrix()
    wanted = plan.requirements
    findings = []
    for package in have.values():
        decided = matrix.of(package.name)
        if decided is None or decided.decision != dependencies.EXCLUDED:
            continue
        way = _way(have, package.name)
        if plan.profile == "full" and way[0] == _NAMES[OPERATOR]:
            continue  # requested by name, where heavy things may be
        findings.append(
            (
                f"no {package.name} in profile {plan.profile} with the requirements tier {wanted.tier} "
                f"({decided.why})",
                f"{package.name} {package.version}, by {' > '.join(way)}",
                f"remove {way[0]} if it is yours; to have it, set `profile: full` and `requirements.extras`",
            )
        )
    return findings


def _together(have: Mapping[str, Listed]) -> list[tuple[str, str, str]]:
    """Packages that lie in one folder, where a lock has more than one of them."""
    findings = []
    for packages in dependencies.matrix().exclusive:
        if len(both := [name for name in packages if name in have]) > 1:
            ways = [f"{it} {have[it].version}, by {' > '.join(_way(have, it))}" for it in both]
            findings.append(
                (
                    f"one of {', '.join(packages)}: they lie in one folder, and the last one wins",
                    "\n          ".join(ways),
                    "leave out of `requirements` (tier, extras, add) or `engines` what brings one of them",
                )
            )
    return findings


def _way(have: Mapping[str, Listed], package: str) -> list[str]:
    return [_NAMES.get(name, name) for name in chain(have, package)]


def _undecided(package: str, reason: str, plan: HostPlan) -> Finding:
    wanted = plan.requirements
    return Finding(
        f"every package that a start imports, in the requirements of the tier {wanted.tier}",
        f"{package} in none of {', '.join(wanted.files)}; {reason}",
        f'add it, or the package that brings it under another name: requirements: {{add: ["{package}"]}}',
    )


def _light(plan: HostPlan) -> bool:
    """Whether the environment is to be a light one: by its profile, or because all its tiers are."""
    tiers = (plan.requirements.tier, *plan.requirements.extras)
    return plan.profile != "full" or all(contract().requirements[it].kind == "core-light" for it in tiers)


def _own(plan: HostPlan) -> set[str]:
    return {canonicalize_name(Requirement(it).name) for it in plan.requirements.add}


@cache
def _recipe() -> str:
    """What decides besides source and lock: the audit's code, and the matrix."""
    files = sorted(Path(audit.__file__).parent.glob("*.py"))
    digest = hashlib.sha256()
    for file in (*files, dependencies.PATH, Path(__file__)):
        digest.update(file.read_bytes())
    return digest.hexdigest()
