"""Resolves requirements with uv, and says of those that contradict each other where they stand."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name
from uv import find_uv_bin

from engine.refusal import RefusedError, refuse
from schemas.model import HostPlan

PLATFORMS = {"amd64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}
# What uv's derivation says of the requirements that it was given, and of those that these have.
_REQUIRED = re.compile(
    r"you require (\S+?),? (?:and (?:you require )?(?!you |we |all |there |only )(\S+?),? (?!depend))?"
)
_CAUSES = re.compile(r"(all versions of \S+ depend on [^\s,]+|\S+ depends on [^\s,]+)")
_UNREACHED = re.compile(r"Failed to fetch|error sending request|Request failed")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_SHOWN = 12  # lines of uv's own words


# The file of bounds that the resolver is given beside the requirements.
BOUNDS = "bounds.in"


def resolve(
    plan: HostPlan,
    files: Mapping[str, str],
    added: Mapping[str, list[str]],
    cut_off: str,
    bounds: Sequence[str] = (),
) -> str:
    """The requirements that meet `files` (name → text), with hashes, as uv writes them.

    `added` are further requirements under the names of their files; `bounds` bring in no package. What was
    published after `cut_off` (UTC, RFC 3339) counts for nothing, so the same inputs give the same lines.
    Raises RefusedError where there is no solution.
    """
    constraints = {BOUNDS: list(bounds)} if bounds else {}
    texts = {**files, **{name: "\n".join(lines) for name, lines in {**added, **constraints}.items()}}
    held = [f"--constraints={name}" for name in constraints]
    wanted = plan.requirements
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        index = ["--default-index", plan.mirrors.pypi] if plan.mirrors.pypi else []
        done = subprocess.run(
            # By this Python: to look for others takes uv 15 s where there are many (pyenv).
            [find_uv_bin(), "pip", "compile", "--quiet", "--generate-hashes", "--no-header"]
            + ["--python", sys.executable]
            + ["--python-version", plan.python.minor, "--python-platform", PLATFORMS[plan.arch]]
            + ["--exclude-newer", cut_off, *index, *held, "--output-file", "lock.txt", *wanted.files, *added],
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            cwd=folder,
        )
        if done.returncode != 0:
            raise _refused(plan, texts, done.stderr)
        return (Path(folder) / "lock.txt").read_text(encoding="utf-8")


def _refused(plan: HostPlan, texts: Mapping[str, str], output: str) -> RefusedError:
    wanted = plan.requirements
    requirement = (
        f"requirements that can be resolved (tier {wanted.tier}, "
        f"extras {', '.join(wanted.extras) or 'none'}, Python {plan.python.minor})"
    )
    words = " ".join(output.split())
    if _UNREACHED.search(words):
        found = "\n          ".join(output.strip().splitlines()[:_SHOWN])
        return refuse(
            "a package index that answers", found, "check this machine's network, or set `mirrors.pypi`"
        )
    required = [it for pair in _REQUIRED.findall(words) for it in pair if _place(it, texts)]
    quarrel = list(dict.fromkeys(required))
    if len(quarrel) < 2:
        found = "\n          ".join(output.strip().splitlines()[-_SHOWN:]) or "no message"
        remedy = "choose another tier or extras in the inventory's `requirements`, or correct the source"
        return refuse(requirement, found, remedy)
    found = " and ".join(f"{it} ({_place(it, texts)})" for it in quarrel) + " exclude each other"
    causes = list(dict.fromkeys(it.rstrip(".") for it in _CAUSES.findall(words)))
    return refuse(requirement, "\n          ".join([found, *causes]), _remedy(quarrel, texts, bool(causes)))


def _remedy(quarrel: Sequence[str], texts: Mapping[str, str], by_others: bool) -> str:
    places = {it: _place(it, texts) for it in quarrel}
    if mine := [it for it, place in places.items() if place.startswith("added.in")]:
        remedies = [f"change {' or '.join(mine)} in `requirements.add`"]
    else:
        remedies = [
            f"loosen one of these lines in Venom's source ({', '.join(places.values())})",
            "leave that tier out: `requirements`",
        ]
    if by_others:
        # A dependency without an older version for this Python may have one for another.
        remedies.append("choose another Python: `python: {version: …}`")
    return ", or ".join(remedies)


def _place(requirement: str, texts: Mapping[str, str]) -> str:
    """File and line where it stands: the line of that package with all of these bounds."""
    name = _name(requirement)
    bounds = set(re.sub(r"\[[^\]]*\]", "", requirement[len(name) :]).split(","))
    for file, text in texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            written = line.partition("#")[0].partition(";")[0].replace(" ", "")
            found = _name(written)
            if canonicalize_name(found) != canonicalize_name(name):
                continue
            if set(re.sub(r"\[[^\]]*\]", "", written[len(found) :]).split(",")) == bounds:
                return f"{file}:{number}"
    return ""


def _name(requirement: str) -> str:
    found = _NAME.match(requirement)
    return found[0] if found else ""
