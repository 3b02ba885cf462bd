"""Whether two hosts are equal: files by content, packages, users, units, and what the processes run with.

What is left out stands here by name, with its reason. `describe` gives one line a thing, so that a
difference can be read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from lab.hosts import Host

FOLDERS = (
    *("/opt", "/etc", "/usr/local", "/var/lib/venom", "/var/lib/ollama"),
    *("/var/cache/venom", "/var/cache/venom-build"),
)

# Not compared at all.
LEFT_OUT = {
    r"/opt/venom/jobs/.": "records of jobs: which host of a fleet did what is chance, and they hold times",
    r"/opt/venom/uis/[^/]+/.": "a build of the UI names its files at random",
    r"/var/lib/venom/(data|workspace|logs|\.venom_runtime)(/|$)": "the application's own",
    r"/var/cache/venom-build/home/": "what the builder's tools keep for themselves",
    r"/var/lib/ollama/(\.ollama|id_ed25519)": "a key that Ollama makes for itself",
    r"/etc/(hostname|hosts|machine-id|resolv\.conf|ssh/|systemd/network/)": "what makes a host itself",
    r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$": "numbers are given in the order of asking",
    r"/etc/ld\.so\.cache$|/etc/\.pwd\.lock$": "caches of the system's own",
}
# Compared without their content.
CONTENT_LEFT_OUT = {
    r".*\.pyc$": "holds the time of its source",
    r"/etc/venom/receipt\.json$": "says when and by whom",
    r"/etc/venom/generations/history$": "says when",
    r"/var/lib/ollama/models/blobs/sha256-": "named after its digest, which Ollama verified",
}

# Runs on the host. What names the host itself becomes a word that is the same everywhere.
_LOOK = r"""
import grp, hashlib, json, os, pwd, re, stat, subprocess, sys
request = json.load(sys.stdin)
left_out = re.compile("|".join("(?:%s)" % it for it in request["left_out"]))
no_content = re.compile("|".join("(?:%s)" % it for it in request["content_left_out"]))
words = [(re.compile(pattern.encode()), word.encode()) for pattern, word in request["words"]]

def plain(data):
    for pattern, word in words:
        data = pattern.sub(word, data)
    return data

def name(database, number):
    try:
        return database(number)[0]
    except KeyError:
        return str(number)

def look(path):
    it = os.lstat(path)
    kind = stat.filemode(it.st_mode)
    facts = [kind, "%s:%s" % (name(pwd.getpwuid, it.st_uid), name(grp.getgrgid, it.st_gid))]
    if stat.S_ISLNK(it.st_mode):
        facts.append("-> " + plain(os.readlink(path).encode()).decode())
    elif stat.S_ISREG(it.st_mode) and not no_content.match(path):
        if it.st_size > 1 << 20:  # came in an archive with a digest: reading it would take minutes
            facts.append("%d bytes" % it.st_size)
        else:
            with open(path, "rb") as file:
                data = file.read()
            facts.append(hashlib.sha256(data if path.startswith("/opt/") else plain(data)).hexdigest()[:16])
    return " ".join(facts)

found = {}
for folder in request["folders"]:
    for base, folders, files in os.walk(folder):
        for path in [base] + [os.path.join(base, it) for it in files + folders]:
            if not left_out.match(path):
                # Names that differ only in what is no part of the comparison stand together.
                found.setdefault(plain(path.encode("utf-8", "replace")).decode(), set()).add(look(path))
found = {path: " and ".join(sorted(looks)) for path, looks in found.items()}

def lines(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()

packages = "package ${Package}\t${Version} ${db:Status-Status}\n"
for line in lines("dpkg-query", "--show", "--showformat", packages):
    key, value = line.split("\t")
    found[key] = value
for user in pwd.getpwall():
    groups = sorted(it.gr_name for it in grp.getgrall() if user.pw_name in it.gr_mem)
    found["user " + user.pw_name] = " ".join([user.pw_dir, user.pw_shell, *groups])
properties = "LoadState,ActiveState,UnitFileState,MainPID,NeedDaemonReload"
for unit in request["units"]:
    shown = dict(line.split("=", 1) for line in lines("systemctl", "show", "--property", properties, unit))
    pid = shown.pop("MainPID", "0")
    runs = []
    if pid != "0":
        with open("/proc/%s/environ" % pid, "rb") as file:
            runs = [it.decode() for it in file.read().split(b"\0") if it.startswith(b"VENOM_FINGERPRINT=")]
    found["unit " + unit] = " ".join(["%s=%s" % it for it in sorted(shown.items())] + runs)
json.dump(found, sys.stdout)
"""

_UNITS = ("venom.target", "venom-backend.service", "venom-ui.service", "ollama.service", "nginx.service")


def describe(
    host: Host, *, folders: Iterable[str] = FOLDERS, left_out: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Everything about a host that two equal hosts have in common: thing → how it is.

    The inventory must call it by the lab's name, as `provisioning.fleet_of` does. `left_out` names
    what a test leaves out beyond the usual: pattern → reason.
    """
    request = {
        "folders": list(folders),
        "left_out": [*LEFT_OUT, *(left_out or {})],
        "content_left_out": list(CONTENT_LEFT_OUT),
        "units": _UNITS,
        "words": [
            # A generation is named after its content, the host's name and address among it.
            (r"\bg[0-9a-f]{12}\b", "GENERATION"),
            *((rf"\b{_pattern(it)}\b", "HOST") for it in (host.address, host.name)),
            # The door's fingerprint follows the names that it answers to.
            (r'return 200 \\*"[0-9a-f]{16}', "FINGERPRINT"),
            (r'("nginx\.service",\s+"title": "Door",\s+"fingerprint": )"[0-9a-f]{16}"', "FINGERPRINT"),
        ],
    }
    answer = host.run(["python3", "-c", _LOOK], input=json.dumps(request))
    found: dict[str, str] = json.loads(answer.stdout)
    return found


def _pattern(name: str) -> str:
    """A name in any file: in nginx's patterns, and in a generation that holds them, it is escaped."""
    return "".join(it if it.isalnum() else rf"\\*{re.escape(it)}" for it in name)


def differences(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """A line for each thing that is not the same; empty for equal hosts."""
    return [
        f"{thing}: {one.get(thing, 'none')} | {other.get(thing, 'none')}"
        for thing in sorted({*one, *other})
        if one.get(thing) != other.get(thing)
    ]
