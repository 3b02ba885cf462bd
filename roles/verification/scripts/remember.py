"""Runs on the host: adds a measurement to what it remembers. The oldest go where there are too many.

From standard input: the file, the line, and how many lines are kept.
"""

import fcntl
import json
import os
import sys

request = json.load(sys.stdin)
path = request["history"]
os.makedirs(os.path.dirname(path), exist_ok=True)
# What was written whole stays whole, and of two acceptances at once none is lost.
folder = os.open(os.path.dirname(path), os.O_RDONLY)
fcntl.flock(folder, fcntl.LOCK_EX)
try:
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
except OSError:
    lines = []
lines = [*lines, request["line"]][-request["keep"] :]
descriptor = os.open(path + ".part", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
with open(descriptor, "w", encoding="utf-8") as file:
    file.write("".join(line + "\n" for line in lines))
    file.flush()
    os.fsync(descriptor)
os.rename(path + ".part", path)
