"""Runs on the host: what it measures of what serves here now, as JSON. Changes nothing.

Standard input: `sizes`, figure → path; `ours`, all that is the provisioner's; `history`, what was measured
before. Bytes throughout. What cannot be measured is left out: no figure is better than a wrong one.
"""

import json
import os
import subprocess
import sys

from reading import get, read, read_json

GENERATION = "/etc/venom/generations/current"
RECEIPT = "/etc/venom/receipt.json"


def resident(pid):
    """Main memory of a process: its own and its share of what others have, too (proc(5), smaps_rollup)."""
    for line in read("/proc/%s/smaps_rollup" % pid).splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def memory(unit):
    """Main memory of all processes of a unit."""
    command = ["systemctl", "show", "--property", "ControlGroup", "--value", "--", unit]
    group = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    total = 0
    for folder, _, _ in os.walk("/sys/fs/cgroup" + group) if group else ():
        total += sum(resident(pid) for pid in read(os.path.join(folder, "cgroup.procs")).split())
    return total


def model(services):
    """What Ollama says of the model that it has loaded; None where none is."""
    for wanted in [it["model"] for it in services if it.get("model")]:
        try:
            loaded = get(wanted["api"] + "/api/ps")["models"]
        except (OSError, ValueError, KeyError):
            return None
        for it in loaded:
            if it["name"] == wanted["name"]:
                return {"size": it["size"], "vram": it.get("size_vram", 0)}
    return None


def place(path):
    """Where it lies: of a program, its installation. Empty where it is not there, or the distribution's."""
    real = os.path.realpath(path)
    if os.path.isfile(real):
        real = os.path.dirname(os.path.dirname(real))
    return real if real not in ("/", "/usr") and os.path.exists(real) else ""


def size(*paths):
    """What they take on the disk; what several names lead to counts once."""
    command = ["du", "--summarize", "--total", "--block-size=1", "--", *paths]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return int(done.stdout.split()[-2]) if done.stdout.strip() else 0


def main():
    request = json.load(sys.stdin)
    services = read_json(GENERATION).get("services", [])
    receipt = read_json(RECEIPT)
    plan = receipt.get("applied", {}).get("plan", {})
    places = {name: place(path) for name, path in request["sizes"].items()}
    here = [path for path in request["ours"] if os.path.exists(path)]
    history = [line for line in read(request["history"]).splitlines() if line.strip()]
    json.dump(
        {
            "receipt": {key: value for key, value in receipt.items() if key != "applied"},
            "release": plan.get("source", {}).get("release", ""),
            "profile": plan.get("profile", ""),
            "memory": {it["unit"]: memory(it["unit"]) for it in services},
            "model": model(services),
            "disk": {name: size(path) for name, path in places.items() if path},
            "ours": size(*here) if here else 0,
            "history": history,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
