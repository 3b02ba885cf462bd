"""Pull as a component: a program that a timer starts, which fetches the host's plan and applies it.

What it applies is a run of deploy/venom.py on the host itself, from the files that came with the plan.
"""

from __future__ import annotations

import json
from pathlib import Path

from engine import paths, remote
from engine.component import Component
from engine.resources import Absent, Directory, Enabled, File, Prerequisite
from engine.templates import render
from schemas.model import HostPlan, Pull, Store

SCRIPTS = Path(__file__).parent / "scripts"
# What its program imports, each after what it imports itself.
MODULES = ("fault.py", "form.py", "signed.py", "fetching.py", "laying.py", "applying.py")
SERVICE, TIMER = "venom-pull.service", "venom-pull.timer"
PROGRAM = f"{paths.TOOLS}/pull.py"
_FOLDER = f"{paths.ETC}/pull"
QUESTION = f"{_FOLDER}/pull.json"
SIGNERS = f"{_FOLDER}/allowed_signers"
# A run of many hosts must not find them all at the store at once: a share of the period is left to chance.
_CHANCE = 4
# Seconds after the boot; chance comes on top.
_FIRST = 10


def component(plan: HostPlan) -> Component:
    """What fetches the host's plan; absent where a run brings it."""
    # What was fetched stays, so that a host may be taken out of the inventory's pull and back again.
    kept = (Directory(paths.PULLED, mode="0700", ours=True),)
    if plan.pull is None or plan.store is None:
        units = (Absent(f"{paths.UNITS}/{it}") for it in (TIMER, SERVICE))
        gone = (*units, Absent(PROGRAM), Absent(_FOLDER))
        return Component(name="pull", prerequisites=gone, leftovers=kept)
    made = prerequisites(plan.host, plan.pull, plan.store)
    return Component(name="pull", prerequisites=(*kept, *made), unit=TIMER, apart=True)


def prerequisites(host: str, pull: Pull, store: Store) -> tuple[Prerequisite, ...]:
    """Program, question, signers, service and timer."""
    question = {"host": host, "store": store.url, "every": pull.every}
    timer = render(
        __file__, "venom-pull.timer.j2", first=_FIRST, every=pull.every, chance=pull.every // _CHANCE
    )
    service = render(
        __file__,
        "venom-pull.service.j2",
        python=remote.PYTHON,
        program=PROGRAM,
        question=QUESTION,
        signers=SIGNERS,
    )
    return (
        Directory(_FOLDER),
        File(QUESTION, f"{json.dumps(question, indent=1)}\n"),
        File(SIGNERS, allowed(pull.signers)),
        File(PROGRAM, remote.program("pull.py", MODULES, SCRIPTS)),
        File(f"{paths.UNITS}/{SERVICE}", service),
        File(f"{paths.UNITS}/{TIMER}", timer),
        Enabled(TIMER, now=True),
    )


def allowed(signers: tuple[str, ...]) -> str:
    """The keys as ssh-keygen reads them: for plans, and for nothing else that they sign."""
    return "".join(f'venom namespaces="venom-pull" {it}\n' for it in signers)
