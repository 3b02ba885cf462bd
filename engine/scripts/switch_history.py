"""Runs on the host: which generations it keeps, what they need of the stores, and the receipt of one."""

import glob
import json
import os
import time

import images
import snapshots
from switch_files import link, read, remove, write
from switch_services import step

GENERATIONS = "/etc/venom/generations"
CURRENT = GENERATIONS + "/current"
HISTORY = GENERATIONS + "/history"
RECEIPT = "/etc/venom/receipt.json"
STORES = [
    "/opt/venom/sources", "/opt/venom/venvs", "/opt/venom/uis", "/opt/venom/node",
    "/opt/venom/python", "/opt/venom/releases", "/opt/ollama", "/opt/venom/trees", "/etc/venom/certificates",
    images.FOLDER,
]  # fmt: skip
JOBS = "/opt/venom/jobs"
CACHE = "/var/cache/venom"
BUILD = "/var/cache/venom-build"


def measured(new, starts, loads, ready):
    """Seconds, for the receipt: `starts`, from the start of each service until it answered; `loads`,
    until it had loaded its model; `ready`, from the begin of the switch until all of that was so.

    What was not started anew keeps the figures of its own start.
    """
    try:
        earlier = json.loads(read(RECEIPT) or "{}")
    except ValueError:
        earlier = {}
    found = {"ready": round(ready, 1)}
    for name, now in (("starts", starts), ("loads", loads)):
        known = dict(earlier.get(name, {}), **{unit: now[unit] for unit in new if unit in now})
        found[name] = {unit: known[unit] for unit in now if unit in known}
    return found


def history():
    """The keys of what was switched to, the last one last."""
    return [line.split()[-1] for line in (read(HISTORY) or "").splitlines()]


def generation_of(key):
    """What the host keeps under the key; None where that is gone, or was spoiled by hand."""
    try:
        return json.loads(read("%s/%s.json" % (GENERATIONS, key)) or "")
    except ValueError:
        return None


def kept(keep):
    """The keys of the last generations, so many of them."""
    return list(dict.fromkeys(reversed(history())))[:keep]


def prune(keep):
    """Keep the last generations, and of the stores what they need; name what was freed."""
    stay, needed, stores = kept(keep), set(), set(STORES)
    for key in dict.fromkeys(history()):
        parts = (generation_of(key) or {"parts": []})["parts"]
        # A component may have brought a store of its own.
        stores.update(os.path.dirname(it) for it in parts)
        if key in stay:
            needed.update(parts)
    for name in os.listdir(GENERATIONS):
        if name.endswith(".json") and name[: -len(".json")] not in stay:
            os.unlink(os.path.join(GENERATIONS, name))
    for path in snapshots.prune(stay):
        print("freed %s" % path)
    # All that was downloaded and built is in place: what is left there belonged to runs that were cut off.
    for folder, stays in ((CACHE, ()), (BUILD, ("home",))):
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            if name not in stays:
                remove(os.path.join(folder, name))
    for store in sorted(stores):
        for name in os.listdir(store) if os.path.isdir(store) else []:
            path = os.path.join(store, name)
            wanted = path in needed or path.removesuffix(".lock") in needed or os.path.islink(path)
            if not wanted:
                print("freed %s" % path)
                if store == images.FOLDER:
                    images.drop(path)
                remove(path)
    # An environment's stamps for the sources that it was proven with: those that are gone need none.
    for stamp in glob.glob("/opt/venom/venvs/*/proven-*"):
        if not os.path.exists("/opt/venom/sources/" + stamp.rpartition("/proven-")[2]):
            os.unlink(stamp)


def timings(since):
    """The jobs of this run: their steps with their seconds, and the bytes that they received."""
    found = {}
    for name in sorted(os.listdir(JOBS)):
        steps = [line.split(" ", 1) for line in (read(os.path.join(JOBS, name, "steps")) or "").splitlines()]
        if not steps:
            continue
        listed = [
            {"step": this[1], "seconds": round(float(following[0]) - float(this[0]), 1)}
            for this, following in zip(steps, steps[1:], strict=False)
        ]
        begun, ended = float(steps[0][0]), float(steps[-1][0])
        if begun < since:
            continue
        found[name] = {"begun": begun, "ended": ended, "steps": listed, "seconds": round(ended - begun, 1)}
        # By systemd's count, where the kernel lets it count.
        received = (read(os.path.join(JOBS, name, "received")) or "").strip()
        if received.isdigit() and int(received) < 1 << 63:
            found[name]["received"] = int(received)
    return found


def settled(key, generation, keep, who, seconds, measures):
    """The generation serves: it is the current one from now on."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if history()[-1:] != [key]:
        with open(HISTORY, "a", encoding="utf-8") as file:
            file.write("%s %s\n" % (at, key))
    link(CURRENT, key + ".json")
    step("done")
    receipt = dict(generation["record"], at=at, by=who, generation=key)
    receipt.update(measures, seconds=round(seconds, 1), branches=timings(time.time() - seconds))
    write(RECEIPT, json.dumps(receipt, indent=2) + "\n")
    prune(keep)
