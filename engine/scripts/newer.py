"""Runs on the host: what was written since a generation's copy of the data was made, as JSON.

Argument: the key of the generation. Standard input: the folder.
"""

import json
import os
import sys

import snapshots

path = sys.stdin.read().strip()
files = snapshots.newer(snapshots.all_of(sys.argv[1])[-1], path) if os.path.isdir(path) else []
json.dump({"files": len(files), "bytes": sum(it[1] for it in files), "newest": files[:5]}, sys.stdout)
