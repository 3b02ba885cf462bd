"""Runs on the host, by a timer or by a run: makes a backup of what Venom has written, and forgets old ones.

The backend is stopped while its state is copied aside: seconds, less where blocks are shared. What goes to
the repository is that copy. Nothing is forgotten before the new backup is there and the repository is sound.
"""

import fcntl
import json
import os
import subprocess
import sys
import time

import repository
import snapshots
from switch_files import read, remove, write

COPY = "/var/cache/venom-backup"
RECORD = "/var/log/venom-provisioner/backup.json"
# While it is there, the unit's last act starts the backend again, however this ends.
STOPPED = "/run/venom-backup-stopped"
RECEIPT = "/etc/venom/receipt.json"
CURRENT = "/etc/venom/generations/current"


def main():
    plan, begun = repository.plan(), time.time()
    record = json.loads(read(RECORD) or "{}")
    # So that one that is killed does not stand there as the one before.
    record.update(at=stamp(begun), ok=False, error="under way, or cut off", repository=plan["repository"])
    remember(record)
    try:
        record.update(backed_up(plan))
    except (repository.Fault, OSError, ValueError) as error:
        record["error"] = str(error)
        print(error, file=sys.stderr)
    else:
        seconds = round(time.time() - begun, 1)
        record.update(ok=True, error="", last_success=record["at"], seconds=seconds)
    finally:
        remove(COPY)
    remember(record)
    sys.exit(0 if record["ok"] else 1)


def remember(record):
    write(RECORD, json.dumps(record, indent=2) + "\n")


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def backed_up(plan):
    """Make it, and forget old ones. Returns what the record has of it."""
    repository.open_repository(make=True)
    # Of processes that are gone only.
    repository.restic("unlock")
    at, quiet = copied(plan)
    tags = "venom," + repository.machine()
    size = snapshots.size(COPY)
    repository.must(
        "a backup",
        *("backup", "--quiet", "--host", plan["host"], "--tag", tags, "--time", at, "."),
        cwd=COPY,
    )
    repository.must("a sound repository", "check", "--quiet")
    keep = [word for span, count in sorted(plan["keep"].items()) for word in ("--keep-" + span, str(count))]
    mine = ("--host", plan["host"], "--tag", tags, "--group-by", "host,tags")
    repository.must(
        "a repository that forgets", "forget", "--quiet", "--prune", "--keep-last", "1", *mine, *keep
    )
    made = repository.copies(tags, plan["host"])
    return {"id": made[-1]["id"], "copies": len(made), "bytes": size, "quiet_seconds": quiet}


def copied(plan):
    """Copy what is backed up, while nothing writes it. Returns when, and for how many seconds that was."""
    remove(COPY)
    state = os.path.join(COPY, plan["state"].lstrip("/"))
    os.makedirs(state, mode=0o700)
    os.chmod(COPY, 0o700)
    with open("/run/venom-activate.lock", "w", encoding="utf-8") as lock:
        # A switch goes first, and none begins meanwhile.
        fcntl.flock(lock, fcntl.LOCK_EX)
        serves = systemctl("is-active", plan["unit"]) == "active"
        begun = time.time()
        if serves:
            write(STOPPED, plan["unit"] + "\n")
            systemctl("stop", plan["unit"])
        try:
            snapshots.copy(plan["state"], state)
            os.makedirs(COPY + "/etc/venom")
            for name, text in (("receipt.json", read(RECEIPT)), ("managed", managed())):
                write(COPY + "/etc/venom/" + name, text or "", mode=0o600)
        finally:
            if serves:
                systemctl("start", plan["unit"])
                remove(STOPPED)
        quiet = round(time.time() - begun, 1) if serves else 0
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(begun)), quiet


def managed():
    """The names of the settings that the present generation manages: another host has its own."""
    try:
        with open(CURRENT, encoding="utf-8") as file:
            resources = json.load(file)["resources"]
    except (OSError, ValueError):
        return ""
    names = {key for it in resources if it["kind"] == "settings" for key in it["values"]}
    return "".join("%s\n" % it for it in sorted(names))


def systemctl(*arguments):
    done = subprocess.run(["systemctl", *arguments], stdout=subprocess.PIPE, text=True, check=False)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
