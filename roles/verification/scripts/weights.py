"""Runs on the host: whether weights are whole, as JSON. Changes nothing. Argument: their manifest."""

import json
import os
import sys

import blobs

manifest = sys.argv[1]
try:
    damaged = blobs.damaged(manifest)
    whole = [path for path in blobs.parts(manifest) if path not in damaged]
except (OSError, ValueError, LookupError, TypeError) as error:
    sys.exit("%s: no manifest that can be read (%s)" % (manifest, error))
json.dump({"bytes": sum(map(os.path.getsize, whole)), "damaged": damaged}, sys.stdout)
