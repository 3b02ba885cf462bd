"""Runs on the host: what serves here now, and what was applied last, as JSON. Changes nothing.

Standard input: the nonce, and what has a version, by name: a command whose last word it is.

No secret leaves the host: of files and settings in the current generation come digests, those of
settings mixed with the nonce of this run.
"""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time

from read_door import read_door
from reading import DIRECT, PATIENCE, get, read, read_json

ETC = "/etc/venom"
GENERATIONS = ETC + "/generations"
BACKED_UP = "/var/log/venom-provisioner/backup.json"
LOCK = "/run/venom-provisioner.lock"
MEASURED = "/var/log/venom-provisioner/measured.jsonl"
UNIT_PROPERTIES = "ActiveState,SubState,ActiveEnterTimestamp,NRestarts,MainPID,ControlGroup"


def sha256(text):
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def without_contents(resource, nonce):
    if resource["kind"] == "file":
        return dict(resource, content=sha256(resource["content"]))
    if resource["kind"] == "settings":
        values = {key: sha256(nonce + value) for key, value in resource["values"].items()}
        return dict(resource, values=values)
    return resource


def current(nonce):
    """The key of the generation that serves, and the generation; ("", None) where there is none."""
    try:
        name = os.readlink(GENERATIONS + "/current")
    except OSError:
        return "", None
    generation = read_json(os.path.join(GENERATIONS, name))
    if not generation:
        return name[: -len(".json")], None
    resources = [without_contents(it, nonce) for it in generation["resources"]]
    return name[: -len(".json")], dict(generation, resources=resources)


def kept():
    """The generations that can be gone back to, the one that was switched to last first."""
    found = {}
    for line in reversed(read(GENERATIONS + "/history").splitlines()):
        at, key = line.split()
        generation = read_json("%s/%s.json" % (GENERATIONS, key))
        if generation and key not in found:
            found[key] = {"key": key, "at": at, "name": generation["name"]}
    return list(found.values())


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


def look_at_unit(name):
    command = ["systemctl", "show", "--timestamp=unix", "--property", UNIT_PROPERTIES, "--", name]
    shown = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout
    unit = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    return {
        "state": unit.get("ActiveState", "unknown"),
        "substate": unit.get("SubState", ""),
        "since": int(unit.get("ActiveEnterTimestamp", "").lstrip("@") or 0),
        "restarts": int(unit.get("NRestarts") or 0),
        "memory": memory(unit),
    }


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


def main():
    request = json.load(sys.stdin)
    key, generation = current(request["nonce"])
    services = generation["services"] if generation else []
    units = [it["unit"] for it in services] + (generation["stopped"] if generation else [])
    json.dump(
        {
            "now": int(time.time()),
            "key": key,
            "generation": generation,
            "receipt": read_json(ETC + "/receipt.json"),
            "kept": kept(),
            "units": {name: look_at_unit(name) for name in units},
            "answers": answers(services),
            "models": models(services),
            "versions": {name: version(it) for name, it in request["versions"].items()},
            "lock": read(LOCK).strip(),
            "measured": (read(MEASURED).splitlines() or [""])[-1],
            "backup": read_json(BACKED_UP),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
