"""Runs on the host: what was written in a folder since a moment, as JSON.

Argument: the moment, as a copy's name has it. Standard input: the folder.
"""

import json
import os
import sys

import snapshots

path = sys.stdin.read().strip()
files = snapshots.newer(snapshots.made_at("." + sys.argv[1]), path) if os.path.isdir(path) else []
json.dump({"files": len(files), "bytes": sum(it[1] for it in files), "newest": files[:5]}, sys.stdout)
