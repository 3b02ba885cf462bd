"""Runs on the host: how large a folder is, and how much room there is for a copy of it, as JSON.

Argument: where the copy would lie. Standard input: the folder. Changes nothing, so whether a copy would
share blocks is judged by the file system, and only of those of which it is known.
"""

import json
import os
import subprocess
import sys

import snapshots


def existing(path):
    """The folder that a path would be made in."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


source, target = sys.stdin.read().strip(), existing(sys.argv[1])
if not os.path.isdir(source):
    source = target
    needed = 0
else:
    needed = snapshots.size(source)
kind = subprocess.run(
    ["stat", "--file-system", "--format=%T", target], stdout=subprocess.PIPE, text=True, check=False
).stdout.strip()
shares = kind == "btrfs" and os.stat(source).st_dev == os.stat(target).st_dev
json.dump({"needed": 0 if shares else needed, "free": snapshots.free(target)}, sys.stdout)
