"""Runs on the host that serves the store, as a job: fetches what is wanted there and is not held.

What could not be had does not keep the rest from coming: the next run asks for it again. Arguments: the file
that is written once everything is held, and the one with the tokens of hubs, if there is one.
"""

import concurrent.futures
import errno
import http.client
import json
import os
import shutil
import sys
import threading
import time

import apt
import faces
import pages
import receive
import tree
import wheels
from receive import NotHadError

# Most items are small, and wait for their places rather than for the line.
SIDE_BY_SIDE = 16
PAGE_TYPES = "text/html, application/vnd.pypi.simple.v1+json;q=0.5"
FULL = threading.Event()
_pages = threading.Lock()


class Job:
    """Where the run reads how far this is. Its files are root's: they are opened while this is root, too."""

    def __init__(self, folder):
        names = ("steps", "progress", "fetched")
        self.files = {name: open(os.path.join(folder, name), "w", encoding="utf-8") for name in names}  # noqa: SIM115
        self.lock, self.have, self.want, self.written = threading.Lock(), 0, 0, 0.0

    def step(self, text):
        self._put("steps", "%.3f %s\n" % (time.time(), text))

    def came(self, count):
        """So many bytes came."""
        with self.lock:
            self.have += count
            now = time.monotonic()
            if now - self.written < 0.5:
                return
            self.written = now
            self._put("progress", "bytes %d %d\n" % (max(self.want, self.have), self.have), anew=True)

    def end(self):
        self._put("fetched", "%d\n" % self.have)

    def _put(self, name, text, anew=False):
        file = self.files[name]
        if anew:
            file.seek(0)
            file.truncate()
        file.write(text)
        file.flush()


def fetch(item, job):
    """Get one item. Raises NotHadError, OSError."""
    if FULL.is_set():
        raise NotHadError("not asked for: the disk is full")
    if item["kind"] == "package":
        fetch_package(item, job)
        return
    headers = {"Accept": ", ".join(faces.MANIFEST_TYPES)} if item["kind"] in tree.MANIFESTS else None
    digest = receive.content(item, job.came, headers)
    if item["kind"] in tree.MANIFESTS:
        with open(tree.path_of("sha256", digest), encoding="utf-8") as file:
            text = file.read()
        parts = tree.parts_of(item, text)
        job.want += sum(it["size"] for it in parts if not receive.present(it))
        for it in parts:
            fetch(it, job)
        if face := faces.of_type(item["face"], json.loads(text)):
            tree.link(face, digest)
    # Last: a manifest is not served before its parts are there.
    tree.link(item["face"], digest)
    if item["kind"] == "tarball":
        with _pages:
            pages.write_version(item)


def fetch_package(item, job):
    answers = []
    for url in item["origins"]:
        try:
            files = wheels.files_of(*receive.text(url, PAGE_TYPES))
        except (OSError, ValueError, LookupError, http.client.HTTPException) as error:
            answers.append("%s: %s" % (url, error))
            continue
        right = {name: (place, digest) for name, place, digest in files if digest in item["digests"]}
        name = wheels.best(right, item["fits"])
        if name is None or "/" in name:
            answers.append("%s has no file of its digests that suits Python %s on %s" % (url, *item["fits"]))
            continue
        place, digest = right[name]
        got = receive.content({"digests": [digest], "origins": [place]}, job.came)
        with _pages:
            tree.link(item["face"] + name, got)
            pages.write_page(item["face"])
        return
    raise NotHadError("\n".join(answers))


def main():
    job = Job(os.environ["JOB"])
    for path in sys.argv[2:]:
        receive.TOKENS.update(tree.read_json(path, {}))
    tree.as_owner()
    tree.make_folders()
    every = tree.items(tree.wanted())
    missing = [it for it in every.values() if not tree.held(it)]
    job.want = sum(it["size"] for it in missing if not receive.present(it))
    job.step("fetch %d of %d" % (len(missing), len(every)))
    failed = {}
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        works = {pool.submit(fetch, it, job): [it["name"]] for it in missing if it["kind"] != "debian"}
        for codename, items in apt.releases(every).items():
            lacking = [it["name"] for it in items if it in missing]
            if lacking or tree.stale(codename):
                works[pool.submit(apt.fetch, codename, items, job)] = lacking
        for done in concurrent.futures.as_completed(works):
            error = done.exception()
            if error is None:
                continue
            if getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT):
                FULL.set()
            if not works[done]:
                print("Debian's packages stay as they are: %s" % error, flush=True)
            failed.update(dict.fromkeys(works[done], error))
    tree.write_held(every)
    if not FULL.is_set():
        for digest in tree.unlisted(every):
            tree.write_pieces(digest)
    job.end()
    if FULL.is_set():
        full()
    if failed:
        refuse(failed)
    for name in os.listdir(tree.ROOT):
        if name.startswith("filled-"):
            os.unlink(os.path.join(tree.ROOT, name))
    tree.write(sys.argv[1], "")
    job.step("done")


def full():
    # What is being received is what filled it.
    freed = 0
    for name in os.listdir(tree.INCOMING):
        path = os.path.join(tree.INCOMING, name)
        freed += os.lstat(path).st_size
        os.unlink(path)
    shutil.rmtree(tree.APT, ignore_errors=True)
    disk = os.statvfs(tree.ROOT)
    sys.exit(
        "required  more room in %s for the fleet's store\n" % tree.ROOT
        + "found     %d MB free, with %d MB of what was being fetched, which are freed again\n"
        % (disk.f_bavail * disk.f_frsize / 1e6, freed / 1e6)
        + "do        make it larger, or free some (--data purge=yes frees what nobody needs), and run again"
    )


def refuse(failed):
    names = sorted(failed)
    lines = ["required  what the fleet needs, from a place that the store's host reaches"]
    lines += ["found     not had: %s" % ", ".join(names)]
    for name in names[:3]:
        lines += ["          %s: %s" % (name, "\n          ".join(str(failed[name]).splitlines()))]
    lines += ["do        see that its places answer, and run again: what came is kept"]
    sys.exit("\n".join(lines))


if __name__ == "__main__":
    main()
