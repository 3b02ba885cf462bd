"""Runs on the host: makes a release's directory aside and renames it into place."""

import json
import os
import shutil
import sys

request = json.load(sys.stdin)
path = request["path"]
part = path + ".part"

if os.path.isdir(path):
    sys.exit(0)  # another run tied it meanwhile: it is the same, its key says so
for name, target in request["links"].items():
    if not os.path.isdir(target):
        sys.exit("the release's %s is not there: %s" % (name, target))
shutil.rmtree(part, ignore_errors=True)
os.mkdir(part)
os.chmod(part, 0o755)
for name, target in request["links"].items():
    os.symlink(target, os.path.join(part, name))
for name, text in request["scripts"].items():
    with open(os.path.join(part, name), "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(file.name, 0o755)
with open(os.path.join(part, "release.json"), "w", encoding="utf-8") as file:
    json.dump(request["description"], file, indent=2, sort_keys=True)
    file.write("\n")
os.chmod(file.name, 0o644)
os.rename(part, path)
