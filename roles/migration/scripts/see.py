"""Runs on the host: prints what an installation of Venom by its Makefile or compose file is, as JSON.

Changes nothing. Of a setting whose name is that of a secret only the name leaves this host. The request
comes on standard input: the folder of the checkout, the files of settings, each with the example that it
was copied from, and which names are those of secrets.
"""

import json
import os
import re
import subprocess
import sys
import time

request = json.load(sys.stdin)
tree = os.path.abspath(os.path.expanduser(request["tree"]))
WEEK = 7 * 24 * 3600
# What Venom keeps below its folder.
DATA = ["data", "workspace", "logs", "models"]
# A line of a file of settings, and a published port or a named volume of a compose file.
SETTING = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=(.*)")
PORT = re.compile(r"""\s*-\s*["']?(?:[0-9.]+:)?([0-9]+):([0-9]+)["']?\s*$""")


def read(path):
    """Names with their values, as they stand in a file; None where there is no such file."""
    try:
        with open(os.path.join(tree, path), encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return None
    values = {}
    for line in lines:
        match = SETTING.match(line.strip())
        if not match:
            continue
        name, value = match[1], match[2].strip()
        if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
            value = value[1:-1]
        else:
            value = re.split(r"\s+#", value, maxsplit=1)[0].strip()
        values[name] = value
    return values


def settings(path, example):
    """What somebody wrote into a file: values, those of the example, and secrets that are given."""
    values = read(path)
    if values is None:
        return None
    before = read(example) or {}
    secret = {name for name in values if re.search(request["secret"], name)}
    return {
        "values": open_ones(values, secret),
        "example": open_ones(before, {name for name in before if re.search(request["secret"], name)}),
        "secrets": sorted(name for name in secret if values[name] not in ("", before.get(name))),
    }


def open_ones(values, secret):
    """Without secrets, and without the login in an address."""
    return {name: re.sub(r"//[^/@\s]*@", "//", value) for name, value in values.items() if name not in secret}


def git(*arguments):
    command = ["git", "--no-optional-locks", "-c", "safe.directory=*", "-C", tree, *arguments]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def version():
    """The version that pyproject.toml claims, which several commits share."""
    try:
        with open(os.path.join(tree, "pyproject.toml"), encoding="utf-8") as file:
            match = re.search(r'^version\s*=\s*"([^"]+)"', file.read(), re.M)
    except OSError:
        return ""
    return match[1] if match else ""


def compose():
    """Of each compose file: which port of the host leads to which of a container."""
    found = {}
    folder = os.path.join(tree, "compose")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if name.endswith((".yml", ".yaml")):
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                ports = [match for match in map(PORT.match, file.read().splitlines()) if match]
            found[name] = {match[2]: int(match[1]) for match in ports}
    return found


def volumes():
    """Docker's named volumes of Venom's projects; only root sees them."""
    try:
        names = os.listdir("/var/lib/docker/volumes")
    except OSError:
        return []
    return sorted(it for it in names if re.match(r"venom-(minimal|release)_", it))


def inside(pid):
    """Whether the process works in the checkout; where that may not be known, it is taken for so."""
    try:
        return (os.readlink("/proc/%s/cwd" % pid) + "/").startswith(tree + "/")
    except OSError:
        return True


def processes():
    """What of Venom and of model servers runs: what it is, its process, its port where it says one."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        line = " ".join(words)
        kind = next((name for name, pattern in request["processes"].items() if re.search(pattern, line)), "")
        if kind in request["inside"] and not inside(pid):
            continue
        if kind:
            port = re.search(r"(?:--port|-p)[ =]([0-9]+)", line)
            found.append({"kind": kind, "pid": int(pid), "port": int(port[1]) if port else 0})
    return sorted(found, key=lambda it: it["pid"])


def units():
    """Units of these names that somebody else than the provisioner made: name → whether it runs."""
    try:
        done = subprocess.run(
            ["systemctl", "list-units", "--all", "--plain", "--no-legend", "--type=service",
             "venom*", "ollama*", "vllm*"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return {}
    rows = [line.split() for line in done.stdout.splitlines()]
    return {row[0]: row[2] for row in rows if len(row) > 2 and row[1] == "loaded" and not ours(row[0])}


def ours(unit):
    """Whether the provisioner wrote it: a host that it has already may be looked at as well."""
    try:
        with open("/etc/systemd/system/" + unit, encoding="utf-8", errors="replace") as file:
            return request["mark"] in file.read(200)
    except OSError:
        return False


def data():
    """Folders with data that did not come with the code: bytes, files, how many are older than a week."""
    found, ours = [], {os.path.join(tree, it) for it in git("ls-files", "-z", *DATA).split("\0")}
    for name in DATA:
        size = files = old = 0
        for folder, _, names in os.walk(os.path.join(tree, name)):
            for path in {os.path.join(folder, it) for it in names} - ours:
                try:
                    status = os.lstat(path)
                except OSError:
                    continue
                size, files = size + status.st_size, files + 1
                old += time.time() - status.st_mtime > WEEK
        if files:
            found.append({"path": name, "bytes": size, "files": files, "old": old})
    return found


def packages():
    """Distributions in the checkout's own virtual environment."""
    found = set()
    for folder, _, _ in os.walk(os.path.join(tree, ".venv", "lib")):
        depth = folder[len(tree) :].count(os.sep)
        if depth == 4 and folder.endswith("site-packages"):
            names = [it for it in os.listdir(folder) if it.endswith(".dist-info")]
            found |= {re.sub(r"[-_.]+", "-", it.split("-")[0]).lower() for it in names}
            break
    return sorted(found)


json.dump(
    {
        "tree": tree,
        "there": os.path.isdir(os.path.join(tree, "venom_core")),
        "host": os.uname().nodename.split(".")[0],
        "version": version(),
        "commit": git("rev-parse", "HEAD"),
        "remote": re.sub(r"//[^/@\s]*@", "//", git("remote", "get-url", "origin")),
        # Files of settings, data and builds are ignored there: these are changes of the code.
        "changed": len(
            [it for it in git("status", "--porcelain", "--untracked-files=no").splitlines() if it]
        ),
        "files": {it: found for it, like in request["files"].items() if (found := settings(it, like))},
        "compose": compose(),
        "volumes": volumes(),
        "processes": processes(),
        "units": units(),
        "data": data(),
        "packages": packages(),
    },
    sys.stdout,
)
