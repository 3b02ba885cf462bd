"""Runs on the host, imported: whether weights are what their names say, read from end to end.

Neither a pull nor a load shows it: both take what is there for right.
"""

import hashlib
import json
import os


def parts(manifest):
    """The paths of a manifest's parts, each with its digest.

    Raises OSError, or ValueError, LookupError or TypeError where it is no manifest.
    """
    with open(manifest, encoding="utf-8") as file:
        document = json.load(file)
    digests = [it["digest"] for it in [document["config"], *document["layers"]]]
    store = manifest.partition("/manifests/")[0]
    return {os.path.join(store, "blobs", it.replace(":", "-")): it for it in digests}


def damaged(manifest):
    """Those of them that have other content than their digest, or are not there."""
    return [path for path, digest in parts(manifest).items() if "sha256:" + sha256(path) != digest]


def sha256(path):
    """In hex; empty where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for piece in iter(lambda: file.read(1 << 20), b""):
                digest.update(piece)
    except OSError:
        return ""
    return digest.hexdigest()
