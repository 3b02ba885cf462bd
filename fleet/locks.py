"""`python -m fleet.locks [RELEASE …]`: make or refresh the locks of pinned releases, and say what changed.

Without a release: those of all of them, and of the pinned vLLM.

A lock is made anew up to its own cut-off, which its head names: then nothing changes unless the source, the
inventory's additions, the matrix or the resolver did. `--cut-off` sets another, to get newer packages; a
lock that does not exist yet is made up to the beginning of this day (UTC), like all others of that day.
Exit status 0; 1 with --check where a file would change; 2 with the reason where something cannot be resolved.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import yaml

from engine.refusal import RefusedError
from fleet import engines
from roles.backend import lock
from roles.backend.requires import listed
from roles.source.archive import pack
from schemas.data.contract import contract
from schemas.data.pins import load as load_pins
from schemas.data.systems import architectures, systems
from schemas.inventory import load
from schemas.model import HostPlan
from schemas.plan.host import assumed_hardware, plan_host
from schemas.reading.problem import ProblemsError

# With what stands after a + as its extras: what an engine in the backend's process brings (docs/engines.md).
_TIERS = ("api", "docker-minimal", "web", "api+onnx-cpu", "api+onnx-cpu+onnx-extras")
_NO_FILE = {"sha256": "0" * 64, "size": 1}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; gives the exit status."""
    given = _parser().parse_args(arguments)
    status = 0
    for release in given.release or _releases():
        try:
            for plan in _plans(release, given):
                status = max(status, _refresh(plan, given))
        except (RefusedError, ProblemsError) as error:
            print(f"locks: {release}\n{error}", file=sys.stderr)
            status = 2
    if given.release:
        return status
    try:
        return max(status, _refresh_vllm(given))
    except RefusedError as error:
        print(f"locks: vllm\n{error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m fleet.locks",
        description="Make or refresh the locks of pinned releases, and show what changed.",
    )
    parser.add_argument("release", nargs="*", help="pinned releases (default: all of them)")
    parser.add_argument(
        "--tier", action="append", help=f"a requirements tier of the contract (default: {', '.join(_TIERS)})"
    )
    parser.add_argument(
        "--repository", help="a local git repository with the releases, instead of upstream's"
    )
    parser.add_argument(
        "--cut-off", metavar="TIME", help="e.g. 2026-11-21T00:00:00Z (default: as it is, or today's midnight)"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; end with status 1 if something would change"
    )
    return parser


def _releases() -> list[str]:
    pins, _ = load_pins()
    return list(pins.releases) if pins else []


def _plans(release: str, given: argparse.Namespace) -> Iterator[HostPlan]:
    """A plan for each lock of the release: its tiers, its Pythons, both architectures."""
    for tiers in given.tier or (it for it in _TIERS if _has(release, it)):
        tier, *extras = tiers.split("+")
        known = contract().requirements
        heavy = any(known[it].kind != "core-light" for it in (tier, *extras) if it in known)
        venom = {
            "release": release,
            **({"repository": str(Path(given.repository).resolve())} if given.repository else {}),
        }
        wanted = {"tier": tier, "extras": extras}
        host = {"venom": venom, "requirements": wanted, "profile": "full" if heavy else "light"}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{release}.yaml"
            path.write_text(yaml.safe_dump({"hosts": {tier: host}}), encoding="utf-8")
            (declared,) = load(path).hosts
        hardware = assumed_hardware(declared)
        made = {}
        for arch in architectures():
            # A host's own Python may be any system's. One that the release cannot run on is passed over.
            for own in ("", *(it.python for it in systems().values())):
                plan = plan_host(declared, replace(hardware, arch=arch, python=own))
                made[plan.python.minor, arch] = plan
        yield from made.values()


def _has(release: str, tiers: str) -> bool:
    return all(contract().requirements[it].files_of(release) for it in tiers.split("+"))


def _refresh(plan: HostPlan, given: argparse.Namespace) -> int:
    archive = pack(plan.source)
    path = lock.FOLDER / plan.source.release / lock.name(plan)
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    text = lock.make(plan, archive, given.cut_off or lock.cut_off(before) or _today())
    changes = _changes(before, text)
    print(f"{path.relative_to(lock.FOLDER.parent)}: {len(listed(text))} packages, {changes}", flush=True)
    if text == before:
        return 0
    if given.check:
        return 1
    lock.write(path, text, plan, archive)
    return 0


def _refresh_vllm(given: argparse.Namespace) -> int:
    """The lock of the pinned vLLM: of no release, and for a plan whose model is of no matter."""
    pins, _ = load_pins()
    assert pins
    sample = {"commit": "0" * 40, "kv_bytes_per_token": 1, "files": {"config.json": _NO_FILE}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vllm.yaml"
        (Path(folder) / "trees.yaml").write_text(
            yaml.safe_dump({"trees": {"a/model": sample}}), encoding="utf-8"
        )
        host = {"profile": "full", "model": "gemma3:270m", "engines": {"vllm": {"model": "a/model"}}}
        path.write_text(yaml.safe_dump({"pins": ["trees.yaml"], "hosts": {"box": host}}), encoding="utf-8")
        (declared,) = load(path).hosts
    status = 0
    for arch in pins.engines["vllm"].arch:
        plan = plan_host(declared, replace(assumed_hardware(declared), arch=arch))
        assert plan.vllm
        kept = engines.FOLDER / engines.name(plan, plan.vllm)
        before = kept.read_text(encoding="utf-8") if kept.exists() else ""
        text = engines.make(plan, plan.vllm, given.cut_off or lock.cut_off(before) or _today())
        place, count = kept.relative_to(engines.FOLDER.parent), len(listed(text))
        print(f"{place}: {count} packages, {_changes(before, text)}", flush=True)
        if text != before and not given.check:
            lock.keep(kept, text)
        status = max(status, int(given.check and text != before))
    return status


def _today() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT00:00:00Z")


def _changes(before: str, after: str) -> str:
    if before == after:
        return "unchanged"
    old, new = ({name: it.version for name, it in listed(text).items()} for text in (before, after))
    if not old:
        return "new"
    differences = [
        f"{name} {old.get(name, 'none')} → {new.get(name, 'none')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    return ", ".join(differences) or "the same versions"


if __name__ == "__main__":
    sys.exit(main())
