"""What stands in a store's tree beside its contents: the names by which tools find them, and pages. Pure.

Runs on the host that serves the store, imported by its scripts; and on the controller, which lays out a
bundle in the same way.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

# The forms of a registry's manifests: a model's or an image's own, and a list of architectures, twice.
MANIFEST_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
# What npm takes for its own registry, whatever it was listing: it puts the configured one in its place.
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
    name = type_name(kind)
    return f"types/{name}/{face}" if name else ""


def type_name(kind: str) -> str:
    """The folder below `types/` of the manifests of this media type."""
    return re.sub(r"[^a-z0-9]+", "-", kind.rpartition("/")[2])


def index_page(files: Iterable[tuple[str, str]]) -> str:
    """The page of a Python package (PEP 503): of these file names and hex digests."""
    lines = [
        f'<a href="{html.escape(name)}#sha256={digest}">{html.escape(name)}</a><br>'
        for name, digest in sorted(files)
    ]
    return "\n".join(["<!DOCTYPE html>", "<html><body>", *lines, "</body></html>", ""])


def npm_tarball(face: str) -> str:
    """The URL by which npm's pages name the tarball at `face`."""
    return f"{_NPM}/{face.partition('/')[2]}"


def npm_version(name: str, version: str, face: str, integrity: str) -> dict[str, Any]:
    """What npm asks of one version of a package."""
    return {
        "name": name,
        "version": version,
        "dist": {"tarball": npm_tarball(face), "integrity": integrity},
    }


def npm_page(name: str, versions: Mapping[str, Mapping[str, Any]]) -> str:
    """What npm asks of a package before it asks for a tarball; the last of the versions is the latest."""
    return json.dumps({"name": name, "dist-tags": {"latest": list(versions)[-1]}, "versions": versions})
