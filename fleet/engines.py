"""The lock of an engine's packages: resolved once for the fleet, from what the pins ask for.

It is of no release: an engine has an environment of its own, which nothing of Venom's source is in.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import schemas
from engine import controller
from engine.environment import CUT_OFF, INPUTS, Lock
from engine.refusal import refuse
from roles.backend.lock import digest_of, keep, now
from roles.backend.resolve import resolve
from schemas.model import HostPlan, Python, Requirements, Vllm

# Those of pinned engines are kept in the repository, reviewed as text; others in the cache.
FOLDER = Path(schemas.__file__).parent / "data" / "engines"
_REQUIREMENTS = "engine.in"


def lock_of(plan: HostPlan, vllm: Vllm, *, offline: bool = False) -> Lock:
    """The lock of vLLM's packages. Raises RefusedError where there is none, and none can be made."""
    key = ("engine lock", vllm.requires, vllm.python.version, plan.arch)
    return controller.once(key, lambda: _lock(plan, vllm, offline))


def _lock(plan: HostPlan, vllm: Vllm, offline: bool) -> Lock:
    digest, committed = _inputs(vllm), FOLDER / name(plan, vllm)
    cached = controller.cache_directory("locks") / f"{digest[:16]}-{committed.name}"
    for path in (committed, cached):
        if path.exists() and f"{INPUTS}{digest}\n" in (text := path.read_text(encoding="utf-8")):
            return Lock(path, text, digest_of(text), fresh=False)
    if offline:
        raise refuse(
            f"a lock {committed.name} on this machine",
            f"none that fits in {committed.parent} or {cached.parent}",
            "pyinfra --dry … deploy/venom.py resolves it",
        )
    text = make(plan, vllm, now())
    keep(cached, text)
    return Lock(cached, text, digest_of(text), fresh=True)


def make(plan: HostPlan, vllm: Vllm, cut_off: str) -> str:
    """The text of the lock, resolved now: the same for the same inputs and the same cut-off.

    `cut_off` is a time (UTC, RFC 3339): what the index got later counts for nothing.
    """
    minor = _minor(vllm)
    asked = replace(
        plan,
        requirements=Requirements("vllm", (), (), ()),
        python=Python(f"=={minor}.*", vllm.python.version, vllm.python),
    )
    head = [
        f"# vllm {vllm.version}, Python {minor}, {plan.arch}",
        f"{INPUTS}{_inputs(vllm)}",
        f"{CUT_OFF}{cut_off}",
    ]
    return "\n".join([*head, resolve(asked, {}, {_REQUIREMENTS: list(vllm.requires)}, cut_off)])


def name(plan: HostPlan, vllm: Vllm) -> str:
    """The lock's file."""
    return f"vllm-{vllm.version}-py{_minor(vllm)}-{plan.arch}.txt"


def _minor(vllm: Vllm) -> str:
    return vllm.python.version.rpartition(".")[0]


def _inputs(vllm: Vllm) -> str:
    return hashlib.sha256(repr(vllm.requires).encode()).hexdigest()
