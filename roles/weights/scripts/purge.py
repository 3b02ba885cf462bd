"""Runs on the host: deletes the models whose manifests are named, and every blob that no other needs.

Manifests first: a purge that is cut off leaves no model that lacks a part. Request: standard input.
"""

import json
import os
import sys

request = json.load(sys.stdin)
models = request["models"]
manifests, blobs = os.path.join(models, "manifests"), os.path.join(models, "blobs")

for path in request["manifests"]:
    os.unlink(path)
    folder = os.path.dirname(path)
    while folder != manifests and not os.listdir(folder):
        os.rmdir(folder)
        folder = os.path.dirname(folder)

needed = set()
for folder, _, names in os.walk(manifests):
    for name in names:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            manifest = json.load(file)
        for layer in [manifest["config"], *manifest["layers"]]:
            needed.add(layer["digest"].replace(":", "-"))

freed = 0
for name in os.listdir(blobs) if os.path.isdir(blobs) else []:
    if name not in needed:
        path = os.path.join(blobs, name)
        freed += os.stat(path).st_size
        os.unlink(path)
print("freed %.1f GB" % (freed / 1e9))
