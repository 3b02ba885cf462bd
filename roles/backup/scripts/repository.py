"""Runs on the host: a restic repository, asked and changed; what it cannot do becomes a fault."""

import hashlib
import json
import os
import subprocess

SETTINGS = "/etc/venom/backup/plan.json"
ENVIRONMENT = "/etc/venom/backup/environment"
# What Debian's restic says of each; later versions have a status of its own for the first two.
WRONG_PASSWORD, NOT_THERE = (
    ("wrong password", "no key found"),
    ("unable to open config file", "does not exist"),
)
FULL = ("no space left", "ENOSPC", "quota exceeded")
# What S3 says of keys that it does not know, that do not belong together, or that may not do this.
KEYS = ("access key", "signature we calculated", "access denied", "accessdenied")


class Fault(Exception):
    """What keeps a backup from being made or brought back: required, found, do."""

    def __init__(self, required, found, remedy):
        super().__init__("required  %s\nfound     %s\ndo        %s" % (required, found, remedy))


def plan():
    with open(SETTINGS, encoding="utf-8") as file:
        return json.load(file)


def environment():
    """The process's own, with repository, password and keys: in no argument, which others could read."""
    found = dict(os.environ, TZ="UTC", RESTIC_CACHE_DIR="/var/cache/venom/restic", RESTIC_PROGRESS_FPS="0.1")
    with open(ENVIRONMENT, encoding="utf-8") as file:
        found.update(json.load(file))
    return found


def restic(*arguments, cwd="/"):
    """The answer of a restic command."""
    return subprocess.run(
        ["restic", *arguments],
        env=environment(), cwd=cwd, text=True, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def must(what, *arguments, cwd="/"):
    """What a command printed. Raises Fault, with its last words, where it fails."""
    done = restic(*arguments, cwd=cwd)
    if done.returncode:
        raise fault(what, done)
    return done.stdout


def fault(what, done):
    where, last = plan()["repository"], last_words(done)
    if any(it in last for it in FULL):
        return Fault(
            "room in %s, or for what is written" % where, last, "free some space there; then run again"
        )
    if where.startswith("s3:") and any(it in last.lower() for it in KEYS):
        return Fault(
            "keys that may write to %s (backup.access_key, backup.secret_key)" % where,
            last,
            "check the references, and what the keys may do there",
        )
    if words := refused_by_ssh(where):
        return Fault("an SSH login as root of this host, for %s" % where, words, "let it in; then run again")
    return Fault("%s, %s" % (what, where), last, "restic's own words say what is wrong; then run again")


def refused_by_ssh(where):
    """Why SSH lets nobody in there; empty where it does. restic does not always pass that on."""
    if not where.startswith("sftp:"):
        return ""
    # restic's two forms: sftp:USER@HOST:/PATH and sftp://USER@HOST:PORT//PATH.
    url = where.startswith("sftp://")
    login = "ssh://" + where.split("/")[2] if url else where[len("sftp:") :].partition(":")[0]
    done = subprocess.run(
        ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=20", "-s", "--", login, "sftp"],
        text=True, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    return last_words(done) if done.returncode else ""


def last_words(done):
    lines = [it.strip() for it in (done.stderr or done.stdout or "").splitlines() if it.strip()]
    return " ".join(lines[-3:])[-500:] or "no words, status %s" % done.returncode


def open_repository(make):
    """Whether it is there and opens; `make`: an empty place becomes one. Raises Fault."""
    where = plan()["repository"]
    done = restic("cat", "config")
    if done.returncode == 0:
        return
    last = last_words(done)
    if any(it in last for it in WRONG_PASSWORD):
        raise Fault(
            "the password of %s (backup.password)" % where,
            "another one: the repository was made with it, perhaps by another fleet",
            "check the reference; the password that it had opens it",
        )
    if not any(it in last for it in NOT_THERE):
        raise fault("a repository that answers", done)
    if where.startswith("/"):
        check_place(where)
    if not make:
        raise Fault("a repository with backups, %s" % where, "none", "deploy/backup.py makes one")
    must("a place where a repository can be made", "init")


def check_place(where):
    """That a path of the host is empty, on a disk that is there. Raises Fault."""
    parent = os.path.dirname(where.rstrip("/"))
    if not os.path.isdir(parent):
        raise Fault(
            "the folder %s, in which the repository lies" % parent, "none", "mount its disk, or make it"
        )
    names = sorted(os.listdir(where)) if os.path.isdir(where) else []
    if names:
        raise Fault(
            "a whole repository at %s, or an empty folder" % where,
            "%s without config: half-made, damaged, or something else" % ", ".join(names[:5]),
            "put its file config back; or name another folder in backup.repository",
        )


def machine():
    """A tag of this very machine: another one of the same name is never made to forget."""
    with open("/etc/machine-id", encoding="utf-8") as file:
        return "machine-" + hashlib.sha256(file.read().strip().encode()).hexdigest()[:12]


def copies(tags="venom", host=""):
    """Backups with these tags, of a host or of all: id, time (UTC), host; the oldest first."""
    only = ["--host", host] if host else []
    found = json.loads(
        must("a repository that lists its backups", "snapshots", "--json", "--tag", tags, *only)
    )
    return [
        {"id": it["short_id"], "time": it["time"][:19] + "Z", "host": it["hostname"]}
        for it in sorted(found or [], key=lambda it: it["time"])
    ]
