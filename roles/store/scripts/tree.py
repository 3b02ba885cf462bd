"""Runs on the host that serves the store, imported by its scripts: where things lie, what is wanted and held.

What lies in the tree lies there once, as `sha256/HEX`, and was verified before it got that name. A face is a
relative link to it, under the path by which some tool asks. `wanted/HOST.json` has the ids of what is wanted.
"""

import contextlib
import hashlib
import json
import os
import threading
import time

import archive
import faces

ROOT = os.environ.get("VENOM_STORE", "/var/lib/venom-store")
TREE = os.path.join(ROOT, "tree")
WANTED = os.path.join(ROOT, "wanted")
ITEMS = os.path.join(ROOT, "items.json")
INCOMING = os.path.join(ROOT, "incoming")
APT = os.path.join(ROOT, "apt")  # where apt works
HELD = "held.txt"
# So long what Debian had counts as what Debian has: security updates come several times a day.
FRESH_SECONDS = 86400
# Of what is large there is a list of its pieces, by which hosts take it from each other.
PIECE = 1 << 20
LARGE = 16 * PIECE
# Kinds whose content names further parts by their digests.
MANIFESTS = ("manifest", "image")


def as_owner():
    """Go on as the user to whom the store belongs: root follows no link that lies there."""
    owner = os.stat(ROOT)
    if os.getuid() == 0 and owner.st_uid != 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
    os.umask(0o022)


def make_folders():
    """What a store that was never filled does not have."""
    for folder in (TREE, WANTED, INCOMING):
        os.makedirs(folder, exist_ok=True)


def path_of(*parts):
    return os.path.join(TREE, *parts)


def read_json(path, otherwise):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return otherwise


def write_json(path, data):
    """A file beside the tree, whole or not at all."""
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(data, file, sort_keys=True)
    os.chmod(path + ".part", 0o644)
    os.rename(path + ".part", path)


def wanted():
    """Host → the ids of its items."""
    names = sorted(os.listdir(WANTED)) if os.path.isdir(WANTED) else ()
    ours = (os.path.splitext(name) for name in names)
    return {host: read_json(wants_of(host), []) for host, suffix in ours if suffix == ".json"}


def wants_of(host):
    return os.path.join(WANTED, host + ".json")


def items(of, known=None):
    """The items that these hosts want, by their ids."""
    known = read_json(ITEMS, {}) if known is None else known
    return {it: known[it] for its in of.values() for it in its if it in known}


def content(face):
    """The digest (hex sha256) of what lies at a face; empty where nothing does."""
    try:
        target = os.readlink(path_of(face))
    except OSError:
        return ""
    digest = os.path.basename(target)
    return digest if os.path.exists(path_of("sha256", digest)) else ""


def write(path, text):
    """A file of the tree, whole or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    part = _aside()
    with open(part, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(part, 0o644)
    os.replace(part, path)


def link(face, digest):
    """Let a face lead to a content that is there; what led elsewhere is replaced by a rename."""
    path, target = path_of(face), path_of("sha256", digest)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    relative = os.path.relpath(target, os.path.dirname(path))
    part = _aside()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part)
    os.symlink(relative, part)
    os.replace(part, path)


def _aside():
    """A path of this thread's, to make something at before it is renamed into place."""
    return os.path.join(INCOMING, "aside-%d-%d" % (os.getpid(), threading.get_ident()))


def parts_of(item, text):
    """The items that a manifest names: blobs beside it, or, of a list, manifests that the fleet may need."""
    document = json.loads(text)
    base = item["face"].partition("/manifests/")[0]
    named = [("blob", it) for it in [document.get("config"), *document.get("layers", ())] if it]
    named += [("image", it) for it in document.get("manifests", ()) if fits(it, item)]
    found = []
    for kind, it in named:
        folder = "blobs" if kind == "blob" else "manifests"
        origins = [
            "%s/%s/%s" % (url.partition("/manifests/")[0], folder, it["digest"]) for url in item["origins"]
        ]
        found.append(
            {
                "kind": kind,
                "name": "part of %s" % item["name"],
                "digests": [it["digest"]],
                "size": it.get("size", 0),
                "origins": origins,
                "face": "%s/%s/%s" % (base, folder, it["digest"]),
                "fits": item["fits"],
            }
        )
    return found


def fits(entry, item):
    """Whether an entry of an image's list is for a host of the fleet."""
    platform = entry.get("platform", {})
    return platform.get("os") == "linux" and platform.get("architecture") in item["fits"]


def held(item):
    """Whether all of an item is there."""
    if item["kind"] == "debian":
        known, arch = part(item["fits"][0]), item["fits"][1]
        whole = all(content(face) == digest for face, digest in known["faces"].items())
        return whole and item["name"] in known["names"].get(arch, ())
    if item["kind"] == "package":
        return any(it in item["digests"] for it in package(item["face"]).values())
    digest = content(item["face"])
    if not digest:
        return False
    if item["digests"][0].startswith("sha256:"):
        if "sha256:" + digest != item["digests"][0]:
            return False
    elif content(faces.of_integrity(item["digests"][0])) != digest:
        return False
    if item["kind"] not in MANIFESTS:
        return True
    with open(path_of("sha256", digest), encoding="utf-8") as file:
        return all(held(it) for it in parts_of(item, file.read()))


def package(face):
    """The files of a Python package that are held: name → "sha256:HEX"."""
    try:
        names = os.listdir(path_of(face))
    except OSError:
        return {}
    found = {name: content(os.path.join(face, name)) for name in sorted(names) if name != "index.html"}
    return {name: "sha256:" + digest for name, digest in found.items() if digest}


def part(codename):
    """What was let in of a Debian release: packages by architecture, and the faces of all that they need."""
    return read_json(path_of(archive.record(codename)), {"names": {}, "faces": {}})


def stale(codename):
    """Whether Debian may have newer packages of a release than the store."""
    try:
        return time.time() - os.stat(path_of(archive.record(codename))).st_mtime > FRESH_SECONDS
    except OSError:
        return True


def unlisted(every):
    """The digests of what is held of these, is large, and has no list of its pieces yet."""
    digests = {content(it["face"]) for it in every.values() if it["kind"] not in MANIFESTS} - {""}
    large = {it for it in digests if os.path.getsize(path_of("sha256", it)) >= LARGE}
    return {it for it in large if not os.path.exists(path_of("pieces", it))}


def write_pieces(digest):
    """The list of a content's pieces: bytes of all, bytes of each but the last, and the sha256 of each."""
    path = path_of("sha256", digest)
    with open(path, "rb") as file:
        sums = [hashlib.sha256(it).hexdigest() for it in iter(lambda: file.read(PIECE), b"")]
    write(path_of("pieces", digest), "\n".join([str(os.path.getsize(path)), str(PIECE), *sums, ""]))


def write_held(every):
    """Note for who asks over the network which items are held, an id a line."""
    lines = ["%s %s %s\n" % (name, it["kind"], it["name"]) for name, it in every.items() if held(it)]
    text = "".join(sorted(lines))
    path = path_of(HELD)
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    except FileNotFoundError:
        pass
    write(path, text)
