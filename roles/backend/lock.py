"""The lock of a backend's packages: every package with its hashes, resolved once for the fleet.

The resolver decides whether Venom starts: pip and uv resolve pyautogen differently, and then Pillow is
missing (docs/facts.md#python-and-packages). So nothing is resolved on a host: the controller resolves with
uv, keeps the result, and every host installs exactly that. No lock passes that lacks what a start of the
source imports, or that has what light must not have (`gate`).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import schemas
from engine import controller
from engine.archive import Archive
from engine.environment import ADDED, BOUNDED, CUT_OFF, INPUTS, Lock
from engine.refusal import refuse
from roles.backend import gate
from roles.backend.resolve import resolve
from schemas.data.dependencies import matrix
from schemas.model import HostPlan

# Locks of pinned releases are kept in the repository, reviewed as text; others in the cache.
FOLDER = Path(schemas.__file__).parent / "data" / "locks"


def lock_for(plan: HostPlan, archive: Archive, *, offline: bool = False) -> Lock:
    """The lock of the plan's requirements for its interpreter and architecture.

    Raises RefusedError where the source lacks a requirements file, where the requirements contradict
    each other, and where the gate refuses; and `offline`, where there is no lock that fits.
    """
    files = inputs(plan, archive)
    key = ("lock", archive.key, plan.requirements, plan.python.minor, plan.arch, plan.profile)
    return controller.once(key, lambda: _lock(plan, archive, files, offline))


def _lock(plan: HostPlan, archive: Archive, files: dict[str, str], offline: bool) -> Lock:
    digest = _inputs_digest(plan, files)
    committed = FOLDER / plan.source.release / name(plan)
    cached = controller.cache_directory("locks") / f"{digest[:16]}-{committed.name}"
    for path in (committed, cached):
        if path.exists() and f"{INPUTS}{digest}\n" in (text := path.read_text(encoding="utf-8")):
            verdict = gate.judge(plan, archive, text)
            gate.ensure_clean(verdict)
            if not verdict.missing:
                return Lock(path, text, digest_of(text), fresh=False, refused=tuple(verdict.refused))
    if offline:
        raise refuse(
            f"a lock {committed.name} of {plan.source.release} on this machine",
            f"none that fits in {committed.parent} or {cached.parent}",
            "pyinfra --dry … deploy/venom.py resolves it",
        )
    # The lock of a pinned release as it stands belongs to the project. One of a tree, or with
    # requirements of an operator's own, is as short-lived as these: it must not take its place.
    path = cached if plan.source.kind == "tree" or committed.exists() else committed
    return write(path, make(plan, archive, now()), plan, archive)


def make(plan: HostPlan, archive: Archive, cut_off: str) -> str:
    """The text of the lock, resolved now: the same for the same inputs and the same cut-off.

    `cut_off` is a time (UTC, RFC 3339): what the index got later counts for nothing.
    """
    files = inputs(plan, archive)
    own = {gate.OPERATOR: list(plan.requirements.add)}
    bounds = _bounds(plan)
    resolved = resolve(plan, files, own, cut_off, list(bounds))
    verdict = gate.judge(plan, archive, resolved)
    added = gate.additions(verdict, plan)
    if added:
        resolved = resolve(plan, files, {**own, gate.MATRIX: list(added)}, cut_off, list(bounds))
        verdict = gate.judge(plan, archive, resolved)
    gate.ensure_clean(verdict)
    head = [
        f"# {_tiers(plan)} of {plan.source.commit or 'a tree'}, Python {plan.python.minor}, {plan.arch}",
        f"{INPUTS}{_inputs_digest(plan, files)}",
        f"{CUT_OFF}{cut_off}",
        *(f"{ADDED}{package}: {why}" for package, why in added.items()),
        *(f"{BOUNDED}{bound}: {why}" for bound, why in bounds.items()),
    ]
    return "\n".join([*head, resolved])


def write(path: Path, text: str, plan: HostPlan, archive: Archive) -> Lock:
    """Keep a lock's text at `path`, whole or not at all."""
    keep(path, text)
    return Lock(
        path, text, digest_of(text), fresh=True, refused=tuple(gate.judge(plan, archive, text).refused)
    )


def keep(path: Path, text: str) -> None:
    """Write a text into the place of what is there, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.rename(path)


def name(plan: HostPlan) -> str:
    """The file of the plan's lock, in the folder of its release."""
    return f"{_tiers(plan)}-py{plan.python.minor}-{plan.arch}.txt"


def now() -> str:
    """The present as a cut-off."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def cut_off(text: str) -> str:
    """Up to when the index counted for this lock; empty where its head does not say so."""
    lines = (line for line in text.splitlines() if line.startswith(CUT_OFF))
    return next(lines, "").removeprefix(CUT_OFF)


def _tiers(plan: HostPlan) -> str:
    return "+".join((plan.requirements.tier, *plan.requirements.extras))


def _inputs_digest(plan: HostPlan, files: Mapping[str, str]) -> str:
    bounds = tuple(_bounds(plan))
    given = (files, plan.requirements.add, bounds) if bounds else (files, plan.requirements.add)
    return hashlib.sha256(repr(given).encode()).hexdigest()


def _bounds(plan: HostPlan) -> dict[str, str]:
    """What the matrix says of the tiers as a whole, each with why."""
    return matrix().constrains((plan.requirements.tier, *plan.requirements.extras))


def digest_of(text: str) -> str:
    """What a lock's packages are; its comments are no part of it."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def inputs(plan: HostPlan, archive: Archive) -> dict[str, str]:
    """The requirements files of the tier and all that they include, by name."""
    files: dict[str, str] = {}
    waiting = list(plan.requirements.files)
    while waiting:
        name = waiting.pop()
        if name in files:
            continue
        text = archive.read(name)
        if text is None:
            raise refuse(
                f"{name} in Venom's source (requirements tier {plan.requirements.tier})",
                f"no such file in {plan.source.location}",
                "choose a tier that this release has, or name the release that it is `like`",
            )
        files[name] = text
        folder = PurePosixPath(name).parent
        waiting += [
            str(folder / included)
            for included in re.findall(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]*(\S+)", text, re.M)
        ]
    return dict(sorted(files.items()))
