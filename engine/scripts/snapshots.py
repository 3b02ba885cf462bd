"""Runs on the host: copies of what a service has written, each with the generation that wrote it.

A copy is the folder KEY.TIME: the key of that generation, when the copy was made (UTC), and in it the tree
under its own path. Copies share blocks with what they are made of where the file system can (reflinks);
hard links would change with files that are written in place. Who copies has stopped what writes there.
"""

import calendar
import fcntl
import os
import subprocess
import tempfile
import time

from switch_files import remove

SNAPSHOTS = "/var/lib/venom-snapshots"
# Neither is copied nor put back: what can be made anew, and what tells how data came to be so.
STAYS = (".cache", "logs")
# Beside what they become, so that a rename is enough.
_NEW, _OLD = ".restored.part", ".replaced.part"
_FORM = "%Y%m%dT%H%M%SZ"
# linux/fs.h; makes one file of another's blocks.
_FICLONE = 0x40049409


class NoRoomError(OSError):
    """A copy that the disk has no room for."""


def all_of(key, root=SNAPSHOTS):
    """The copies with a generation, the oldest first."""
    names = os.listdir(root) if os.path.isdir(root) else []
    return sorted(
        os.path.join(root, it) for it in names if it.startswith(key + ".") and not it.endswith(".part")
    )


def newest(key, root=SNAPSHOTS):
    """The last of them; empty where there is none."""
    return ["", *all_of(key, root)][-1]


def made_at(snapshot):
    """When it was made, in seconds since 1970."""
    return calendar.timegm(time.strptime(snapshot.rpartition(".")[2], _FORM))


def take(key, path, root=SNAPSHOTS):
    """Copy what lies at `path` under the generation's key; it appears whole. Returns where it is.

    Raises NoRoomError before the disk is full, and OSError.
    """
    os.makedirs(root, mode=0o700, exist_ok=True)
    snapshot = "%s/%s.%s" % (root, key, time.strftime(_FORM, time.gmtime()))
    part = snapshot + ".part"
    remove(part)
    target = part + path
    os.makedirs(target, mode=0o700)
    try:
        copy(path, target)
        # Before the name: after a loss of power it would stand for a copy that is not whole.
        os.sync()
        os.rename(part, snapshot)
    except OSError:
        remove(part)
        raise
    return snapshot


def put_back(snapshot, path):
    """Make what lies at `path` what was copied, each file as old as it was then: Venom deletes by age.

    It is copied aside and put in place by renames; what was there is gone then, so it was copied before.
    Raises NoRoomError and OSError, before the renames.
    """
    place = os.path.realpath(path)
    new, old = os.path.join(place, _NEW), os.path.join(place, _OLD)
    remove(new)
    os.mkdir(new, 0o700)
    try:
        copy(snapshot + path, new)
        grow_younger(new, time.time() - made_at(snapshot))
        os.sync()
    except OSError:
        remove(new)
        raise
    remove(old)
    os.mkdir(old, 0o700)
    move(place, [it for it in names_in(place) if it != _OLD], old)
    move(new, os.listdir(new), place)
    remove(new)
    remove(old)


def move(source, names, target):
    """Move these from one folder into another; by renames where the file system can.

    An overlay cannot rename a folder of its lower layer, and a folder may be a link to another disk.
    """
    if not names:
        return
    command = ["mv", "--", *(os.path.join(source, it) for it in names), target]
    done = subprocess.run(command, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise OSError("%s cannot be moved: %s" % (source, done.stderr.decode(errors="replace").strip()))


def names_in(folder):
    """What of a folder is copied and put back."""
    # What a loss of power left between the renames is data, too.
    return sorted(it for it in os.listdir(folder) if it not in STAYS + (_NEW,))


def grow_younger(folder, seconds):
    """Move the time of each file below the folder forward."""
    for base, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(base, name)
            it = os.lstat(path)
            times = (it.st_atime_ns, it.st_mtime_ns + int(max(seconds, 0) * 1e9))
            os.utime(path, ns=times, follow_symlinks=False)


def copy(source, target):
    """Copy what is in one folder into another, with owners, modes and times."""
    names = names_in(source)
    if not names:
        return
    if not clones(source, target):
        have, need = free(target), size(source)
        if need > have:
            raise NoRoomError(
                "required  %.1f MB free in %s for a copy of %s\nfound     %.1f MB\n"
                "do        free some space there" % (need / 1e6, target, source, have / 1e6)
            )
    paths = [os.path.join(source, it) for it in names]
    done = subprocess.run(
        ["cp", "--archive", "--reflink=auto", "--", *paths, target], stderr=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise OSError("%s cannot be copied: %s" % (source, done.stderr.decode(errors="replace").strip()))


def free(folder):
    """Bytes."""
    it = os.statvfs(folder)
    return it.f_bavail * it.f_frsize


def size(folder):
    """Bytes of what is copied of it."""
    total = 0
    for name in names_in(folder):
        top = os.path.join(folder, name)
        total += os.lstat(top).st_blocks * 512
        for base, folders, files in os.walk(top):
            total += sum(os.lstat(os.path.join(base, it)).st_blocks * 512 for it in folders + files)
    return total


def clones(source, target):
    """Whether a file of one folder and its copy in the other would share their blocks."""
    if os.stat(source).st_dev != os.stat(target).st_dev:
        return False
    try:
        with tempfile.TemporaryFile(dir=target) as one, tempfile.TemporaryFile(dir=target) as other:
            one.write(b"x")
            one.flush()
            fcntl.ioctl(other.fileno(), _FICLONE, one.fileno())
            return True
    except OSError:
        return False


def newer(since, path):
    """What was written at `path` since then: [time, bytes, name], the newest first."""
    found = []
    for top in (os.path.join(path, it) for it in names_in(path)):
        inside = [os.path.join(base, it) for base, _, files in os.walk(top) for it in files]
        for name in inside or ([top] if os.path.isfile(top) else []):
            it = os.lstat(name)
            if it.st_mtime >= since + 1:
                found.append([int(it.st_mtime), it.st_size, os.path.relpath(name, path)])
    return sorted(found, reverse=True)


def prune(kept, root=SNAPSHOTS):
    """Only the newest copy stays of each generation that is kept. Returns what was freed."""
    stay = {newest(key, root) for key in kept}
    names = os.listdir(root) if os.path.isdir(root) else []
    freed = [path for path in (os.path.join(root, it) for it in sorted(names)) if path not in stay]
    for path in freed:
        remove(path)
    return freed
