"""Runs on the host: lays a plan's files down, aside and whole, and forgets those of former plans."""

import os
import platform
import shutil
import sys
import tarfile

import fetching
from fault import PullError

KEPT = "/var/lib/venom-pull"
# What a run on a controller keeps in its cache: source, locks, uv, built UIs.
CACHE = os.path.join(KEPT, "cache")


def lay_down(plan, store):
    """Everything that a run needs, from the store: gives the folders of the house and of its environment.

    Raises PullError where something cannot be had, or does not fit this host.
    """
    fits(plan)
    contents = os.path.join(KEPT, "contents")
    for name, it in sorted(plan["cache"].items()):
        path = os.path.join(CACHE, "venom-provisioner", name)
        fetching.content(_url(store, it), it["sha256"], it["size"], path)
    folders = {}
    for kind in ("house", "environment"):
        folders[kind] = os.path.join(KEPT, kind, "-".join(it["sha256"][:12] for it in plan[kind]))
        if not os.path.isdir(folders[kind]):
            archives = [(_archive(store, it, contents), it["at"]) for it in plan[kind]]
            _unpack(archives, folders[kind])
    shutil.rmtree(contents, ignore_errors=True)
    return folders["house"], folders["environment"]


def fits(plan):
    """Raise PullError where the plan's environment is one for another Python or architecture."""
    have = ["%d.%d" % sys.version_info[:2], platform.machine()]
    if [plan["python"], plan["machine"]] != have:
        raise PullError(
            "a plan for Python %s on %s, as this host has" % tuple(have),
            "one for Python %s on %s" % (plan["python"], plan["machine"]),
            "publish from a machine with the same Python and architecture; or reach this host by a run",
        )


def forget_others(house, environment):
    """Delete what former plans had laid down."""
    for folder in (house, environment):
        around, own = os.path.split(folder)
        for name in os.listdir(around):
            if name != own:
                shutil.rmtree(os.path.join(around, name), ignore_errors=True)


def _url(store, it):
    return "%s/pull/contents/%s" % (store, it["sha256"])


def _archive(store, it, folder):
    path = os.path.join(folder, it["sha256"])
    fetching.content(_url(store, it), it["sha256"], it["size"], path)
    return path


def _unpack(archives, folder):
    """The archives as one folder, which gets its name once it is whole. The signature vouches for them."""
    part = folder + ".part"
    shutil.rmtree(part, ignore_errors=True)
    try:
        for path, at in archives:
            with tarfile.open(path) as tar:
                tar.extractall(os.path.join(part, at))
        os.rename(part, folder)
    except (OSError, tarfile.TarError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise PullError(
            "room for the plan's files in %s" % KEPT, str(error), "free some; the host asks again by itself"
        ) from None
