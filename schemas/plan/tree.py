"""Models of the hub in a plan: each a tree of files by digest, with the places they are had from. Pure."""

from __future__ import annotations

import hashlib

from schemas.declared.host import DeclaredHost
from schemas.model import HostPlan, Secret, Tree, TreeFile
from schemas.plan.sources import places

_TREES = "/opt/venom/trees"


def tree_of(declared: DeclaredHost, name: str) -> Tree:
    """The pinned tree of a repository of this name."""
    pinned, hub = declared.pins.trees[name], declared.pins.registries["hub"]
    base = f"{hub}/{name}/resolve/{pinned.commit}"
    files = (
        TreeFile(path, sha256, size, places(f"{base}/{path}", declared))
        for path, (sha256, size) in pinned.files.items()
    )
    listing = repr(
        (name, pinned.commit, sorted((path, sha256) for path, (sha256, _) in pinned.files.items()))
    )
    key = f"{name.rpartition('/')[2].lower()}-{hashlib.sha256(listing.encode()).hexdigest()[:12]}"
    return Tree(name, pinned.commit, tuple(files), f"{_TREES}/{key}", hub)


def tokens_of(plan: HostPlan) -> dict[str, Secret]:
    """The tokens that hubs want to see for the plan's models, by the hub's URL."""
    return {tree.hub: token for tree, token in plan.trees.values() if token}
