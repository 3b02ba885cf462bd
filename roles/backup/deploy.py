"""Backups as a component: restic, its settings, and a unit that a timer starts on the host."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from engine import packages, paths, proxy, remote
from engine.component import Component
from engine.proxy import Way
from engine.resources import Absent, Directory, Enabled, File, Packages, Prerequisite
from engine.secrets import reveal
from engine.templates import render
from schemas.model import Backup, HostPlan

UNIT, TIMER = "venom-backup.service", "venom-backup.timer"
SCRIPTS = Path(__file__).parent / "scripts"
# What its programs import, each after what it imports itself.
MODULES = ("switch_files.py", "snapshots.py", "repository.py")
PROGRAM = f"{paths.BACKUP}/backup.py"
PACKAGES = Packages(("restic",))
BACKEND = "venom-backend.service"
# Both as the program has them: the copy that it backs up, and the trace of what it stopped.
_COPY = Directory("/var/cache/venom-backup", mode="0700", ours=True)
_STOPPED = "/run/venom-backup-stopped"


def component(plan: HostPlan, *, later: bool = False) -> Component:
    """The backups of the host; absent where the plan has none. `later`: of its package (`Packages`)."""
    if plan.backup is None:
        units = (Absent(f"{paths.UNITS}/{it}") for it in (TIMER, UNIT))
        # Whatever the inventory says now: an earlier one may have brought it.
        return Component(
            name="backup", prerequisites=(*units, Absent(paths.BACKUP)), leftovers=(PACKAGES, _COPY)
        )
    return Component(
        name="backup",
        prerequisites=tuple(_prerequisites(plan, plan.backup, proxy.way(plan), later=later)),
        leftovers=(_COPY,),
        unit=TIMER,
        apart=True,
        versions={"restic": ("restic", "version")},
    )


def _prerequisites(plan: HostPlan, backup: Backup, way: Way, *, later: bool) -> list[Prerequisite]:
    settings = {
        **{"host": plan.host, "repository": backup.repository, "keep": dict(backup.keep)},
        **{"state": paths.STATE, "unit": BACKEND},
    }
    return [
        replace(PACKAGES, origin=packages.origin_of(way, plan), later=later),
        Directory(paths.BACKUP, mode="0700"),
        File(f"{paths.BACKUP}/plan.json", _json(settings)),
        File(f"{paths.BACKUP}/environment", _json(_environment(backup)), mode="0600"),
        File(PROGRAM, remote.program("backup.py", MODULES, SCRIPTS)),
        File(
            f"{paths.UNITS}/{UNIT}",
            render(
                __file__,
                "venom-backup.service.j2",
                python=remote.PYTHON,
                script=PROGRAM,
                stopped=_STOPPED,
                proxy=way.digest,
            ),
        ),
        File(f"{paths.UNITS}/{TIMER}", render(__file__, "venom-backup.timer.j2", at=backup.at)),
        Enabled(TIMER, now=True),
    ]


def _environment(backup: Backup) -> dict[str, str]:
    """What restic reads from its environment. Raises RefusedError where a secret cannot be had."""
    secrets = reveal({"RESTIC_PASSWORD": backup.password, **backup.access})
    return {"RESTIC_REPOSITORY": backup.repository, **secrets}


def _json(values: object) -> str:
    return f"{json.dumps(values, indent=1, sort_keys=True)}\n"
