"""The lock of a backend's packages: every package with its hashes, resolved once for the fleet.

The resolver decides whether Venom starts (facts: pip and uv resolve pyautogen differently, and then
Pillow is missing). So nothing is resolved on a host: the controller resolves with uv, keeps the result,
and every host installs exactly that.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from uv import find_uv_bin

from roles.common import controller
from roles.common.archive import Archive
from roles.common.refusal import refuse
from schemas.model import HostPlan

# Locks of pinned releases are kept in the repository, reviewed as text; others in the cache.
KEPT = Path(__file__).parents[2] / "locks"
PLATFORMS = {"amd64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}
INPUTS = "# inputs: "


@dataclass(frozen=True)
class Lock:
    """A requirements file with hashes. `fresh` says that this run resolved it."""

    path: Path
    text: str
    sha256: str
    fresh: bool


def lock_for(plan: HostPlan, archive: Archive, *, offline: bool = False) -> Lock:
    """The lock of the plan's requirements for its interpreter and architecture.

    Raises RefusedError where the source lacks a requirements file, or where the requirements
    contradict each other; and `offline`, where there is no lock and one would have to be resolved.
    """
    files = inputs(plan, archive)
    key = ("lock", archive.key, plan.requirements, plan.python.minor, plan.arch)
    return controller.once(key, lambda: _lock(plan, archive, files, offline))


def _lock(plan: HostPlan, archive: Archive, files: dict[str, str], offline: bool) -> Lock:
    wanted = plan.requirements
    tiers = "+".join((wanted.tier, *wanted.extras))
    name = f"{tiers}-py{plan.python.minor}-{plan.arch}.txt"
    inputs = hashlib.sha256(repr((files, wanted.add)).encode()).hexdigest()
    kept = KEPT / plan.source.release / name
    cached = controller.cache_directory("locks") / f"{inputs[:16]}-{name}"
    for path in (kept, cached):
        if path.exists() and f"{INPUTS}{inputs}\n" in (text := path.read_text(encoding="utf-8")):
            return Lock(path, text, _digest(text), fresh=False)
    if offline:
        raise refuse(
            f"a lock {name} of {plan.source.release} on this machine",
            f"none that fits in {kept.parent} or {cached.parent}",
            "pyinfra --dry … deploy/venom.py resolves it",
        )
    resolved = _resolve(plan, files)
    title = f"# {tiers} of {plan.source.commit or 'a tree'}, Python {plan.python.minor}, {plan.arch}"
    text = f"{title}\n{INPUTS}{inputs}\n{resolved}"
    # The lock of a pinned release as it stands belongs to the project. One of a tree, or with
    # requirements of an operator's own, is as short-lived as these: it must not take its place.
    path = cached if plan.source.kind == "tree" or kept.exists() else kept
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.rename(path)
    return Lock(path, text, _digest(text), fresh=True)


def _digest(text: str) -> str:
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


def _resolve(plan: HostPlan, files: dict[str, str]) -> str:
    index = ["--default-index", plan.mirrors.pypi] if plan.mirrors.pypi else []
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        (Path(folder) / "added.in").write_text("\n".join(plan.requirements.add), encoding="utf-8")
        controller.run(
            [find_uv_bin(), "pip", "compile", "--quiet", "--generate-hashes", "--no-header"]
            + ["--python-version", plan.python.minor, "--python-platform", PLATFORMS[plan.arch]]
            + [*index, "--output-file", "lock.txt", *plan.requirements.files, "added.in"],
            f"requirements that can be resolved (tier {plan.requirements.tier}, "
            f"extras {', '.join(plan.requirements.extras) or 'none'}, Python {plan.python.minor})",
            "choose another tier or extras in the inventory's `requirements`, or mend the source",
            cwd=Path(folder),
        )
        return (Path(folder) / "lock.txt").read_text(encoding="utf-8")
