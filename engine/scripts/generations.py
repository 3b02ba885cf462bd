"""Runs on the host: the generations that can be gone back to, newest use first, as JSON."""

import json
import os
import sys

import snapshots

folder = sys.stdin.read().strip()
try:
    current = os.readlink(os.path.join(folder, "current"))[: -len(".json")]
    with open(os.path.join(folder, "history"), encoding="utf-8") as file:
        uses = [line.split() for line in file]
except OSError:
    current, uses = "", []
listed = []
for at, key in reversed(uses):
    path = os.path.join(folder, key + ".json")
    if key in [it["key"] for it in listed]:
        continue
    try:
        with open(path, encoding="utf-8") as file:
            generation = json.load(file)
    except (OSError, ValueError):
        continue  # pruned, or spoiled by hand
    source = generation["record"].get("applied", {}).get("plan", {}).get("source", {})
    listed.append(
        {
            "key": key,
            "name": generation["name"],
            "release": source.get("release", ""),
            "at": at,
            "current": key == current,
            "data": snapshots.newest(key).rpartition(".")[2],
        }
    )
json.dump(listed, sys.stdout)
