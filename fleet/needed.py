"""What the hosts of an inventory need from elsewhere, down to each package: plans, locks and source read."""

from __future__ import annotations

from collections.abc import Sequence

from engine import containers
from engine.release import Release
from fleet.builds import Build
from roles.backend.deploy import BUILD_CONSTRAINTS
from roles.base.deploy import PACKAGES
from schemas.inventory import DeclaredHost
from schemas.model import HostPlan
from schemas.plan.host import assumed_hardware, plan_host
from schemas.plan.item import Needed
from schemas.plan.items import Packed, Read, needed

NPM_LOCK = "web-next/package-lock.json"


def needed_by(hosts: Sequence[DeclaredHost], *, offline: bool = False) -> list[Needed]:
    """What these hosts need, as their hardware is declared; nobody is asked.

    Raises RefusedError where a source or its lock cannot be had. `offline`: of what this machine does not
    have, nothing is fetched or resolved for it.
    """
    plans = [(plan_host(it, assumed_hardware(it)), it.pins) for it in hosts]
    return needed((plan, pins, read_for(plan, Build.of(plan, offline=offline))) for plan, pins in plans)


def read_for(plan: HostPlan, build: Build) -> Read:
    """What locks and source say of a plan's needs."""
    archive, release = build.archive, build.release
    debian = [name for it in (PACKAGES, *containers.packages(plan.engine)) for name in it.names]
    if archive is None or not isinstance(release, Release):
        return Read(debian=debian)
    return Read(
        lock=build.lock.text if build.lock else "",
        build=BUILD_CONSTRAINTS.read_text(encoding="utf-8"),
        npm=archive.read(NPM_LOCK) or "",
        debian=debian,
        source=Packed(archive.sha256, archive.path.stat().st_size),
        ui=release.ui,
    )
