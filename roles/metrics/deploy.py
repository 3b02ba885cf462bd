"""Metrics as a component: a program on the host that a timer starts, which writes a file for node-exporter.

Which services there are, the program reads from the generation that serves: so it is right after a rollback,
too. What no generation says, the components of the run do.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from engine import paths, remote
from engine.component import Component
from engine.resources import Absent, Directory, Enabled, File, Link, Prerequisite
from engine.templates import render
from schemas.model import Metrics, Puller

SCRIPTS = Path(__file__).parent / "scripts"
# What its program imports, each after what it imports itself.
MODULES = (
    *("reading.py", "read_door.py", "fingerprint.py", "serving.py", "certificates.py"),
    *("exposition.py", "differences.py", "speed.py"),
)
SERVICE, TIMER = "venom-metrics.service", "venom-metrics.timer"
PROGRAM = f"{paths.TOOLS}/metrics.py"
QUESTION = f"{paths.TOOLS}/metrics.json"
WRITTEN = "/run/venom-metrics"
# Where Debian's node-exporter looks for files of others; it takes the name of each from the folder.
LINK = "/var/lib/prometheus/node-exporter/venom.prom"
SECONDS = 60


def component(
    metrics: Metrics | None, listed: Sequence[Component], pullers: Sequence[Puller] = ()
) -> Component:
    """What reports how the host stands; absent where the inventory does not want it.

    `listed`: the components that it reports of; `pullers`: the hosts that leave receipts here.
    """
    # systemd makes it when the timer fires, so only removal looks for it.
    folder = (Directory(WRITTEN, ours=True),)
    if metrics is None:
        return Component(name="metrics", prerequisites=absent(), leftovers=folder)
    made = prerequisites(metrics, listed, pullers)
    return Component(name="metrics", prerequisites=made, leftovers=folder, unit=TIMER, apart=True)


def prerequisites(
    metrics: Metrics, listed: Sequence[Component], pullers: Sequence[Puller] = ()
) -> tuple[Prerequisite, ...]:
    """Program, question, link, service and timer."""
    filters = any(it.service and it.service.url.startswith("nft:") for it in listed)
    service = render(
        __file__,
        "venom-metrics.service.j2",
        python=remote.PYTHON,
        program=PROGRAM,
        question=QUESTION,
        state=WRITTEN,
        filter=filters,
    )
    return (
        File(PROGRAM, remote.program("collect.py", MODULES, SCRIPTS)),
        File(QUESTION, f"{json.dumps(question(metrics, listed, pullers), indent=1)}\n"),
        File(f"{paths.UNITS}/{SERVICE}", service),
        File(f"{paths.UNITS}/{TIMER}", render(__file__, "venom-metrics.timer.j2", seconds=SECONDS)),
        Enabled(TIMER, now=True),
        Link(LINK, f"{WRITTEN}/venom.prom"),
    )


def question(
    metrics: Metrics, listed: Sequence[Component], pullers: Sequence[Puller] = ()
) -> dict[str, object]:
    """What the program is asked besides what the generation says."""
    receipts = {"receipts": paths.RECEIPTS, "pull": {it.name: it.every for it in pullers}}
    return {
        **(receipts if pullers else {}),
        "units": [it.unit for it in listed if it.unit and it.apart],
        "versions": {name: command for it in listed for name, command in it.versions.items()},
        "speed": metrics.speed,
    }


def absent() -> tuple[Prerequisite, ...]:
    """What a host that reports nothing has not."""
    units = (f"{paths.UNITS}/{TIMER}", f"{paths.UNITS}/{SERVICE}")
    written = (f"{WRITTEN}/venom.prom", f"{WRITTEN}/known.json")
    return tuple(Absent(it) for it in (LINK, *units, PROGRAM, QUESTION, *written))
