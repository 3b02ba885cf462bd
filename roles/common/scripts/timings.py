"""Runs on the host: the steps of each job with their seconds, as JSON."""

import json
import os
import sys

folder = sys.stdin.read().strip()
timings = {}
for name in sorted(os.listdir(folder)):
    try:
        with open(os.path.join(folder, name, "steps"), encoding="utf-8") as file:
            steps = [line.rstrip("\n").split(" ", 1) for line in file]
    except OSError:
        continue
    branch = {"begun": float(steps[0][0]), "ended": float(steps[-1][0]), "steps": []}
    for this, following in zip(steps, steps[1:], strict=False):
        seconds = round(float(following[0]) - float(this[0]), 1)
        branch["steps"].append({"step": this[1], "seconds": seconds})
    branch["seconds"] = round(branch["ended"] - branch["begun"], 1)
    timings[name] = branch
json.dump(timings, sys.stdout)
