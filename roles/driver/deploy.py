"""The driver of the host's cards as a component: what checks after a boot that the model lies on them."""

from __future__ import annotations

from pathlib import Path

from engine import paths, remote
from engine.component import Component
from engine.resources import Absent, Enabled, File, Switchable
from engine.services import Service
from engine.templates import render
from roles.driver.choice import leftovers

SCRIPTS = Path(__file__).parent / "scripts"
# A service, and the timer that starts it after a boot: as a part of venom.target a switch would wait for it.
UNIT = "venom-card.service"
TIMER = "venom-card.timer"
PROGRAM = f"{paths.OPT}/check-card.py"
_FILES = tuple(f"{paths.UNITS}/{it}" for it in (TIMER, UNIT))


def component(serving: Service | None) -> Component:
    """What looks after the card. `serving`: the model server whose model should lie on it, if any."""
    if not (serving and serving.model and serving.model.checked_by):
        absent = tuple(map(Absent, (*_FILES, PROGRAM)))
        return Component(name="driver", prerequisites=absent, leftovers=tuple(leftovers()))
    return Component(
        name="driver",
        resources=tuple(_check(serving)),
        leftovers=tuple(leftovers()),
        unit=UNIT,
        apart=True,
    )


def _check(serving: Service) -> list[Switchable]:
    wanted = serving.model
    assert wanted is not None
    program = remote.program("check_card.py", ("reading.py", "spill.py"), SCRIPTS)
    unit = render(
        __file__,
        f"{UNIT}.j2",
        unit=serving.unit,
        program=PROGRAM,
        api=wanted.api,
        model=wanted.name,
        seconds=wanted.load_timeout,
        state=paths.STATE,
    )
    timer, service = _FILES
    return [
        File(PROGRAM, program),
        File(service, unit),
        File(timer, render(__file__, f"{TIMER}.j2")),
        Enabled(TIMER),
    ]
