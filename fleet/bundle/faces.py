"""Further faces in the tree of a store, as the store's own job makes them (roles/store). Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

# What npm takes for its own registry, whatever it was listing.
_NPM = "https://registry.npmjs.org"


def of_integrity(integrity: str) -> str:
    """The face that says which content has this digest of npm's ("sha512-BASE64")."""
    algorithm, _, coded = integrity.partition("-")
    return f"{algorithm}/{coded.replace('/', '_').replace('+', '-').rstrip('=')}"


def of_type(face: str, manifest: Mapping[str, Any]) -> str:
    """The face that says of which type the manifest at `face` is; empty where it does not say it."""
    kind = manifest.get("mediaType", "")
    if not kind and "manifests" in manifest:
        kind = "application/vnd.oci.image.index.v1+json"
    name = re.sub(r"[^a-z0-9]+", "-", kind.rpartition("/")[2])
    return f"types/{name}/{face}" if name else ""


def npm_page(name: str, versions: Mapping[str, tuple[str, str]]) -> str:
    """What npm asks of a package: of these versions → face and integrity of the tarball."""
    listing = {
        version: {
            "name": name,
            "version": version,
            "dist": {"tarball": f"{_NPM}/{face.partition('/')[2]}", "integrity": integrity},
        }
        for version, (face, integrity) in sorted(versions.items())
    }
    return json.dumps({"name": name, "dist-tags": {"latest": list(listing)[-1]}, "versions": listing})
