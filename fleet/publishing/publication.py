"""What a run of deploy/publish.py signs and puts at the store, known before anything is sent."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pyinfra.context import state as pyinfra_state

from engine import controller
from engine.options import Options
from engine.refusal import Finding, RefusedError
from engine.release import Release
from engine.uv import wheel
from fleet.assessment import resolved
from fleet.builds import Build
from fleet.bundle import signature
from fleet.bundle.bundling import as_refusals, usable
from fleet.publishing import house
from fleet.publishing.reduced import TREE, reduced, unfit
from roles.pull.scripts import form
from schemas.data.systems import systems
from schemas.inventory import DeclaredHost
from schemas.model import HostPlan
from schemas.plan.host import assumed_hardware


@dataclass(frozen=True)
class Publication:
    """Signed plans, and the contents that they name."""

    serial: int  # seconds since 1970 when they were signed: a later one is a newer one
    plans: Mapping[str, str]  # host → its plan with the signature in front
    contents: Mapping[str, bytes]  # sha256 → what it is of


def plan_publication(server: DeclaredHost, options: Options) -> Publication:
    """The plans of the hosts that pull from the store of this one. Raises RefusedError."""
    if not options.text("key"):
        found, remedy = f"--data key={options.text('key')}", "--data key=~/.ssh/id_ed25519"
        raise RefusedError([Finding("--data key=FILE: the SSH key that signs the plans", found, remedy)])
    hosts = _hosts(server, options.words("hosts"))
    if wrong := [finding for it in hosts for finding in unfit(it)]:
        raise RefusedError(wrong)
    key = usable(Path(options.text("key")).expanduser())
    serial, contents, plans = int(time.time()), dict[str, bytes](), dict[str, str]()
    shared = {
        "house": controller.once(("house",), house.house),
        "environment": controller.once(("environment",), house.environment),
    }
    for it in hosts:
        parts = dict(_parts(it, shared))
        contents |= {_digest(content): content for its in parts.values() for _, content in its}
        plan: dict[str, Any] = {
            **{"form": form.FORM, "host": it.name, "serial": serial},
            **{"python": house.PYTHON, "machine": house.MACHINE},
            "cache": {name: _named(content) for name, content in parts.pop("cache")},
        }
        for kind, its in parts.items():
            plan[kind] = [{"at": at, **_named(content)} for at, content in its]
        plans[it.name] = sign(plan, key)
    return Publication(serial, plans, contents)


def sign(plan: Mapping[str, Any], key: Path) -> str:
    """A plan as it is published: the signature, and what it signs. Raises RefusedError."""
    text = json.dumps(plan, indent=1, sort_keys=True)
    with as_refusals(), tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plan"
        file.write_text(text, encoding="utf-8")
        return signature.sign(file, key, form.NAMESPACE).read_text(encoding="ascii") + text


def _hosts(server: DeclaredHost, wanted: Sequence[str]) -> list[DeclaredHost]:
    """Those that pull from this store; of them the wanted ones, if any are named. Raises RefusedError."""
    names = [it.name for it in server.serves_store.pullers] if server.serves_store else []
    if not names:
        found = f"{server.name}, which serves no store that a host with `pull` asks"
        remedy = "name the store's host with --limit, and write `pull` for those that ask it"
        raise RefusedError([Finding("the host that serves the store of those that pull", found, remedy)])
    if unknown := [it for it in wanted if it not in names]:
        required = f"hosts=NAME,NAME among those that pull: {', '.join(names)}"
        raise RefusedError([Finding(required, ", ".join(unknown), "check the names")])
    every = {it.data.declared.name: it.data.declared for it in pyinfra_state.inventory}
    return [every[it] for it in names if not wanted or it in wanted]


def _parts(
    declared: DeclaredHost, shared: Mapping[str, bytes]
) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Kind → name or place, and content. Raises RefusedError where something cannot be had."""
    plans = list(_plans(declared))
    builds = [Build.of(it) for it in plans]
    kept = [*map(wheel, plans), *(it for one in builds for it in _cached(one, declared.source.kind))]
    trees = [it.archive.path for it in builds[:1] if it.archive and declared.source.kind == "tree"]
    own = house.archive(reduced(declared))
    yield "house", [("", shared["house"]), ("", own), *((TREE, it.read_bytes()) for it in trees)]
    yield "environment", [("", shared["environment"])]
    files = {f"{it.parent.name}/{it.name}": it for it in kept}
    yield "cache", [(name, it.read_bytes()) for name, it in files.items()]


def _plans(declared: DeclaredHost) -> Iterator[HostPlan]:
    """The host's plan on each system with the Python that the host must have."""
    fitting = [it for it, one in systems().items() if one.python == house.PYTHON]
    if not fitting:
        found = f"Python {house.PYTHON}, which no supported system has"
        remedy = "publish from an environment with the hosts' Python: 3.11 of Debian 12, 3.13 of Debian 13"
        raise RefusedError([Finding("the Python of the hosts, on this machine", found, remedy)])
    for system in fitting:
        hardware = replace(assumed_hardware(declared), python=systems()[system].python, system=system)
        yield resolved(declared, hardware)


def _cached(build: Build, kind: str) -> Iterator[Path]:
    """What the cache of whoever runs deploy/venom.py must hold of this build, to ask nobody else for it."""
    if build.archive and kind != "tree":
        yield build.archive.path
    for lock in (build.lock, build.vllm):
        if lock and not lock.path.is_relative_to(house.ROOT):
            yield lock.path
    if isinstance(build.release, Release):
        ui = controller.cache_directory("uis") / f"{build.release.ui}.tar.zst"
        if ui.exists():
            yield ui


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _named(content: bytes) -> dict[str, Any]:
    return {"sha256": _digest(content), "size": len(content)}
