"""Runs on the host: what the current generation is, how its units stand, and what its services answer."""

import os
import subprocess
import threading

from read_door import read_door
from reading import DIRECT, PATIENCE, get, read, read_json

GENERATIONS = "/etc/venom/generations"
PROPERTIES = "ActiveState,SubState,UnitFileState,ActiveEnterTimestamp,NRestarts,MainPID,ControlGroup"


def current():
    """The key of the generation that serves, and the generation; ("", None) where there is none."""
    try:
        name = os.readlink(GENERATIONS + "/current")
    except OSError:
        return "", None
    return name[: -len(".json")], read_json(os.path.join(GENERATIONS, name)) or None


def shown(units):
    """What systemctl shows of each unit, by its name; all are asked at once."""
    if not units:
        return {}
    command = ["systemctl", "show", "--timestamp=unix", "--property", PROPERTIES, "--", *units]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout
    blocks = [block.splitlines() for block in output.strip("\n").split("\n\n")]
    found = [dict(line.split("=", 1) for line in block if "=" in line) for block in blocks]
    return {name: dict(found[place]) if place < len(found) else {} for place, name in enumerate(units)}


def described(unit):
    """What is reported of a unit, made of what systemctl shows of it."""
    return {
        "state": unit.get("ActiveState", "unknown"),
        "substate": unit.get("SubState", ""),
        "since": int(unit.get("ActiveEnterTimestamp", "").lstrip("@") or 0),
        "restarts": int(unit.get("NRestarts") or 0),
        "memory": memory(unit),
    }


def memory(unit):
    """Bytes that its processes have in main memory."""
    processes, total = [], 0
    group = unit.get("ControlGroup")
    for folder, _, _ in os.walk("/sys/fs/cgroup" + group) if group else ():
        processes += read(os.path.join(folder, "cgroup.procs")).split()
    for pid in processes or [unit.get("MainPID", "0")]:
        lines = read("/proc/%s/status" % pid).splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
    return total * 1024


def answer(url):
    """Empty where it answers as it should; else what it answered instead."""
    try:
        with DIRECT.open(url, timeout=PATIENCE) as response:
            return "" if response.status == 200 else "status %s" % response.status
    except OSError as error:
        return str(getattr(error, "reason", error))


def door(service):
    """The same of one that answers with the fingerprint of its configuration."""
    try:
        runs = read_door(service["url"], service["reloads"]["certificate"], PATIENCE)
    except OSError as error:
        return str(error)
    return "" if runs == service["fingerprint"] else "it runs with another configuration than it should"


def answers(services):
    """Service by service what its address says, all asked at once."""
    found = {}

    def ask(service):
        found[service["unit"]] = door(service) if service.get("reloads") else answer(service["url"])

    threads = [threading.Thread(target=ask, args=(it,)) for it in services]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def models(services):
    """What the model server that serves has, and what of it is loaded; None where none answers."""
    apis = [it["model"]["api"] for it in services if it.get("model")]
    if not apis:
        return None
    try:
        have, loaded = (get(apis[0] + path)["models"] for path in ("/api/tags", "/api/ps"))
    except (OSError, ValueError, KeyError):
        return None
    return {
        "digests": {it["name"]: it["digest"].split(":")[-1] for it in have},
        "loaded": {it["name"]: {"size": it["size"], "size_vram": it.get("size_vram", 0)} for it in loaded},
    }


def version(command):
    """Of "Python 3.11.2" or "v20.19.0" the number; empty where there is none."""
    try:
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout
    except OSError:
        return ""
    return output.strip().split(" ")[-1].lstrip("v")
