"""What the hosts of an inventory need from elsewhere, down to each package: plans, locks and source read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pyinfra.context import state as pyinfra_state

from engine import containers, controller
from engine.refusal import RefusedError
from engine.release import Release
from fleet.builds import Build
from roles.backend.deploy import BUILD_CONSTRAINTS
from roles.backup import deploy as backup
from roles.base.deploy import PACKAGES
from roles.store.wants import NOBODY, Fleet
from roles.vllm import deploy as vllm
from schemas.data.systems import systems
from schemas.hardware import Hardware
from schemas.inventory import DeclaredHost
from schemas.model import HostPlan
from schemas.plan.host import assumed_hardware, plan_host
from schemas.plan.item import Item
from schemas.plan.items import Packed, Read, items
from schemas.reading.problem import PlanError

NPM_LOCK = "web-next/package-lock.json"


def wanted_by(declared: DeclaredHost, hardware: Hardware, build: Build) -> list[Item]:
    """What a host needs, from upstream and mirrors. `build`: of its plan."""
    plan = _plan(declared, hardware)
    # Who serves the store must have Debian's packages before that serves.
    codename = "" if declared.serves_store else codename_of(hardware.system)
    return items(plan, declared.pins, read_for(plan, build, codename))


def fleet_of(declared: DeclaredHost) -> Fleet:
    """Who has to do with the store that a host asks, or serves; in a run."""
    server = declared.settings.get("store", "host", default="")
    if declared.serves_store:
        server = declared.name
    return controller.once(("fleet", server), lambda: _fleet(server)) if server else NOBODY


def _fleet(server: str) -> Fleet:
    every = {one.name: one for it in pyinfra_state.inventory if (one := _declared(it))}
    askers = [name for name, it in every.items() if it.settings.get("store", "host") == server]
    active = [one for it in pyinfra_state.inventory.get_active_hosts() if (one := _declared(it))]
    here = {it.name for it in active}
    # In the inventory's order, whatever order pyinfra has them in: all hosts see the same chain.
    peers = [
        (it.name, it.peer.url) for it in every.values() if it.name in here and it.name in askers and it.peer
    ]
    store = every[server].store if server in every else None
    feeds = not (store and store.closed)
    return Fleet(server, askers, lambda name: _items_of(every[name]), server in here, feeds, peers)


def _declared(one: Any) -> DeclaredHost | None:
    found = one.data.get("declared")
    return found if isinstance(found, DeclaredHost) else None


def _items_of(declared: DeclaredHost) -> list[Item]:
    """What a host needs that is not in this run, as its hardware is declared; nothing if that is unknown."""
    hardware = assumed_hardware(declared)
    try:
        return wanted_by(declared, hardware, Build.of(_plan(declared, hardware), offline=True))
    except (PlanError, RefusedError):
        return []


def _plan(declared: DeclaredHost, hardware: Hardware) -> HostPlan:
    """The plan as it would be without a store: with all places that things come from."""
    return plan_host(replace(declared, store=None), hardware)


def codename_of(system: str) -> str:
    """Debian's name of a release, e.g. of "debian 12"; empty for other systems: no store has theirs."""
    known = systems().get(system)
    return known.codename if known and system.startswith("debian ") else ""


def read_for(plan: HostPlan, build: Build, codename: str = "") -> Read:
    """What locks and source say of a plan's needs. `codename`: of the host's Debian, where that is known."""
    archive, release = build.archive, build.release
    wanted = [PACKAGES, *containers.packages(plan.engine)]
    wanted += [role.PACKAGES for role, part in ((backup, plan.backup), (vllm, plan.vllm)) if part]
    debian = [name for it in wanted for name in it.names]
    if archive is None or not isinstance(release, Release):
        return Read(debian=debian, codename=codename)
    return Read(
        lock=build.lock.text if build.lock else "",
        vllm=build.vllm.text if build.vllm else "",
        build=BUILD_CONSTRAINTS.read_text(encoding="utf-8"),
        npm=archive.read(NPM_LOCK) or "",
        debian=debian,
        codename=codename,
        source=Packed(archive.sha256, archive.path.stat().st_size),
        ui=release.ui,
    )
