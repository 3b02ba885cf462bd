"""Runs on the host as a job: makes a generation the current one, or takes it back.

Applies what differs, restarts the services whose processes were started with other inputs, and waits
until each does what it is for: it answers, and a model server generates. If one does not, the
generation that served before is applied again. Because the host does this by itself, a run that ends
meanwhile leaves it in one of the two, never between.

Arguments: the generation's file; how many generations to keep; who asked; the seconds that the run
had taken before; the key of the generation whose data are to be put back, or nothing; what to watch
afterwards, as JSON (switch_watch.py), if anything.
"""

import fcntl
import json
import os
import sys
import time

import snapshots
import switch_door
from switch_data import Data
from switch_files import apply, read, run
from switch_history import CURRENT, generation_of, kept, measured, settled
from switch_services import NotServingError, generate, start, state, step, wait
from switch_watch import watch


def switch(generation, before, exchange=None, back=False):
    """Make the host so. Returns what only this moment can show: see `measured`.

    `exchange`: what happens to the data while nothing writes them.
    `back`: what served before is better than nothing, also where its model lies outside VRAM now.
    """
    begun = time.monotonic()
    for unit in generation["stopped"]:
        if state(unit).get("ActiveState") not in ("inactive", None):
            step("stop %s" % unit)
        # One after the other: a unit that is made of a quadlet cannot be disabled.
        run("systemctl", "stop", unit)
        run("systemctl", "disable", "--quiet", unit)
    stop_other_runners(generation, before)
    if exchange:
        exchange()
    apply(generation, before)
    doors = switch_door.of(generation)
    for door in doors:
        switch_door.test(door)
    new, starts, loads = set(), {}, {}
    services = [it for it in generation["services"] if it not in doors]
    first = [it for it in services if it.get("first")]
    others = [it for it in services if not it.get("first")]
    for group in (first, others):
        new.update(it["unit"] for it in group if start(it))
        if group is others:
            run("systemctl", "start", "venom.target")
        starts.update(wait(group, new))
        # Before the others start: the backend asks for the model, too, and gives up after seconds.
        loads.update({it["unit"]: generate(it, back) for it in group if it.get("model")})
    for door in doors:
        switch_door.reload(door)
        switch_door.report_certificate(door)
    here = {door["unit"] for door in doors}
    switch_door.shut(door for door in switch_door.of(before) if door["unit"] not in here)
    return measured(new, starts, loads, time.monotonic() - begun)


def stop_other_runners(generation, before):
    """What runs in a container is ended by its own unit: one without would leave the container behind."""
    runners = {it["unit"]: it.get("runner", "") for it in generation["services"]}
    for service in before["services"] if before else []:
        unit, runner = service["unit"], service.get("runner", "")
        if runners.get(unit, runner) != runner and state(unit).get("ActiveState") != "inactive":
            step("stop %s" % service["title"])
            run("systemctl", "stop", unit)


def take_back(before, failed, data, key):
    """What served before serves again. Says how that went; never raises."""
    if before is None:
        switch_door.shut(switch_door.of(failed))
        return (
            "Nothing served here before: the host stays as it is, so that you can examine it."
            " Repair it and run again."
        )
    step("take back: %s" % before["name"])
    of_data = data.undo(key)
    try:
        switch(before, failed, back=True)
    except (NotServingError, OSError, KeyError) as error:
        return "What served before (%s) does not serve either: %s\n%s" % (before["name"], error, of_data)
    return "\n".join(filter(None, ["What served before serves again: %s." % before["name"], of_data]))


def main():
    begun = time.monotonic()
    path, keep, who, elapsed, wanted, *watched = sys.argv[1:]
    key = os.path.basename(path)[: -len(".json")]
    generation = json.loads(read(path))
    before_key = os.readlink(CURRENT)[: -len(".json")] if os.path.islink(CURRENT) else ""
    before = generation_of(before_key)
    data = Data(generation, before, before_key, wanted)
    try:
        measures = switch(generation, before, data.exchange)
        for it in watched:
            watch(generation, json.loads(it))
    except (NotServingError, OSError, KeyError) as error:
        # A full disk, a user that is gone: what was begun is taken back, too.
        outcome = take_back(before, generation, data, key)
        snapshots.prune([*kept(int(keep)), key])
        if key != before_key:
            os.unlink(path)
        with open(os.path.join(os.environ["JOB"], "error"), "w", encoding="utf-8") as file:
            file.write("%s\n\n%s\n" % (error, outcome))
        sys.exit(1)
    seconds = float(elapsed) + time.monotonic() - begun
    settled(key, generation, int(keep), who, seconds, measures)


if __name__ == "__main__":
    with open("/run/venom-activate.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        main()
