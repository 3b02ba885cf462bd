"""Runs on the host, as a job: brings a backup out of the repository, as a copy that a switch can put back.

Arguments: the backup's id; when it was made, as YYYY-MM-DDTHH:MM:SSZ; whose the files are.
"""

import json
import os
import pwd
import sys

import repository
import snapshots
from switch_files import read, remove, write

# Where a switch looks for it: the copy of a generation of this name.
KEY = "restored"


def main():
    wanted, made, owner = sys.argv[1:]
    plan = repository.plan()
    os.makedirs(snapshots.SNAPSHOTS, mode=0o700, exist_ok=True)
    target = "%s/%s.%s" % (snapshots.SNAPSHOTS, KEY, made.replace("-", "").replace(":", ""))
    part = target + ".part"
    for old in snapshots.all_of(KEY):
        remove(old)
    remove(part)
    repository.open_repository(make=False)
    check_room(wanted)
    os.mkdir(part, 0o700)
    try:
        repository.must("a backup that can be read", "restore", wanted, "--target", part)
        state = part + plan["state"]
        if not os.path.isdir(state):
            raise repository.Fault(
                "%s in the backup %s" % (plan["state"], wanted),
                "none",
                "name another with --data snapshot=ID",
            )
        settle(state, read(part + "/etc/venom/managed") or "", owner)
        os.sync()
        os.rename(part, target)
    except BaseException:
        remove(part)
        raise


def check_room(wanted):
    """Raise Fault where the disk has no room for it."""
    counted = repository.must(
        "a backup that can be read", "stats", wanted, "--json", "--mode", "restore-size"
    )
    need, have = json.loads(counted)["total_size"], snapshots.free(snapshots.SNAPSHOTS)
    # It is there twice for a moment: beside what serves, and in its place.
    if 2 * need > have:
        raise repository.Fault(
            "%.1f MB free in %s" % (2 * need / 1e6, snapshots.SNAPSHOTS), "%.1f MB" % (have / 1e6),
            "free some space there",
        )  # fmt: skip


def settle(state, managed, owner):
    """Give the files to this host's user; settings that were managed there are this host's own."""
    user = pwd.getpwnam(owner)
    for base, folders, files in os.walk(state):
        for path in [base] + [os.path.join(base, it) for it in folders + files]:
            os.lchown(path, user.pw_uid, user.pw_gid)
    names, settings = set(managed.split()), os.path.join(state, "venom.env")
    text = read(settings)
    if text is not None:
        lines = [it for it in text.splitlines() if it.partition("=")[0].strip() not in names]
        write(settings, "".join(it + "\n" for it in lines), owner, 0o600)


if __name__ == "__main__":
    try:
        main()
    except (repository.Fault, OSError, ValueError) as error:
        with open(os.path.join(os.environ["JOB"], "error"), "w", encoding="utf-8") as file:
            file.write("%s\n" % error)
        sys.exit(1)
