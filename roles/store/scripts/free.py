"""Runs on the host that serves the store: what it holds, for whom, and what nobody needs, as JSON.

With the argument "purge" the last is deleted: faces first, then each content to which none leads.
"""

import contextlib
import json
import os
import shutil
import sys

import archive
import pages
import tree


def needed_faces(every):
    """The faces that wanted items have, with those of the parts that their manifests name."""
    found = set()
    for item in every.values():
        if item["kind"] == "debian":
            found |= {archive.record(item["fits"][0]), *tree.part(item["fits"][0])["faces"]}
            continue
        if item["kind"] == "package":
            names = [it for it, digest in tree.package(item["face"]).items() if digest in item["digests"]]
            found |= {item["face"] + it for it in names}
            continue
        found.add(item["face"])
        digest = tree.content(item["face"])
        if digest and item["kind"] in tree.MANIFESTS:
            with open(tree.path_of("sha256", digest), encoding="utf-8") as file:
                parts = tree.parts_of(item, file.read())
            found |= needed_faces({it["face"]: it for it in parts})
    return found


def faces():
    """Every link of the tree to a content, but for what only notes something of one: face → digest."""
    found = {}
    for folder, _, names in os.walk(tree.TREE):
        for name in names:
            path = os.path.join(folder, name)
            face = os.path.relpath(path, tree.TREE)
            if os.path.islink(path) and not face.startswith(("sha512/", "types/")):
                found[face] = os.path.basename(os.readlink(path))
    return found


def notes(digests):
    """The links of the two other folders that lead to one of these contents."""
    for folder in ("sha512", "types"):
        for within, _, names in os.walk(tree.path_of(folder)):
            for name in names:
                path = os.path.join(within, name)
                if os.path.islink(path) and os.path.basename(os.readlink(path)) in digests:
                    yield path


def contents():
    """Every content: digest → bytes."""
    folder = tree.path_of("sha256")
    if not os.path.isdir(folder):
        return {}
    return {name: os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)}


def main():
    tree.as_owner()
    recorded = tree.wanted()
    every, have, led = tree.items(recorded), contents(), faces()
    needed = needed_faces(every)
    kept = {digest for face, digest in led.items() if face in needed}
    unneeded = set(have) - kept
    held = {it for it, item in every.items() if tree.held(item)}
    freed = 0
    if "purge" in sys.argv[1:]:
        tree.make_folders()
        purge([face for face in led if face not in needed], unneeded)
        forget_releases(needed)
        tree.write_held(every)
        freed, unneeded = sum(have[it] for it in unneeded), set()
    disk = os.statvfs(tree.ROOT)
    json.dump(
        {
            "items": len(every),
            "held": len(held),
            "missing": sorted(item["name"] for it, item in every.items() if it not in held),
            "bytes": sum(have[it] for it in kept if it in have),
            "hosts": {host: sum(it in held for it in ids) for host, ids in recorded.items()},
            "unneeded": len(unneeded),
            "unneeded_bytes": sum(have[it] for it in unneeded),
            "freed_bytes": freed,
            "free": disk.f_bavail * disk.f_frsize,
        },
        sys.stdout,
    )


def purge(unled, digests):
    for face in unled:
        os.unlink(tree.path_of(face))
        if face.startswith("pypi/"):
            pages.write_page(os.path.dirname(face))
        elif face.startswith("npm/"):
            pages.forget_tarball(face)
    for path in list(notes(digests)):
        os.unlink(path)
    for digest in digests:
        pages.forget(tree.path_of("pieces", digest))
        os.unlink(tree.path_of("sha256", digest))
    for name in os.listdir(tree.INCOMING):
        os.unlink(os.path.join(tree.INCOMING, name))
    for folder, _, _ in os.walk(tree.TREE, topdown=False):
        if folder != tree.TREE:
            with contextlib.suppress(OSError):
                os.rmdir(folder)


def forget_releases(needed):
    """Delete what was noted of Debian releases that no host has, and what apt keeps for the next fill."""
    shutil.rmtree(tree.APT, ignore_errors=True)
    folder = os.path.dirname(archive.record(""))
    for name in os.listdir(tree.path_of(folder)) if os.path.isdir(tree.path_of(folder)) else ():
        if os.path.join(folder, name) not in needed:
            os.unlink(tree.path_of(folder, name))


if __name__ == "__main__":
    main()
