"""Runs on the host: what an acceptance wants to know from inside, as JSON. Changes nothing."""

import glob
import grp
import json
import os
import pwd
import shutil
import subprocess
import sys
import time
from urllib.request import Request

import reading
from reading import DIRECT, PATIENCE, read

VENV = "/opt/venom/current/venv"
SOCKETS = ("/run/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock")
PROGRAMS = ("docker", "podman", "nerdctl", "containerd")
RUNTIMES = ("ollama", "vllm")
CHAT_SECONDS = 60


def health(url):
    begun = time.monotonic()
    try:
        with DIRECT.open(url, timeout=PATIENCE) as response:
            status, text = response.status, ""
    except OSError as error:
        status, text = getattr(error, "code", 0), str(getattr(error, "reason", error))
    return {"status": status, "error": text, "seconds": round(time.monotonic() - begun, 3)}


def get(url):
    try:
        return reading.get(url)
    except (OSError, ValueError):
        return None


def chat(api, model):
    """What a server of OpenAI's protocol says when it is greeted, or why it says nothing."""
    messages = [{"role": "user", "content": "Say hello in one short sentence."}]
    body = json.dumps({"model": model, "messages": messages, "max_tokens": 32}).encode()
    asked = Request(api + "/v1/chat/completions", data=body, headers={"Content-Type": "application/json"})
    try:
        with DIRECT.open(asked, timeout=CHAT_SECONDS) as response:
            words = json.load(response)["choices"][0]["message"]["content"]
        return {"words": str(words), "error": ""}
    except (OSError, ValueError, LookupError, TypeError) as error:
        return {"words": "", "error": str(getattr(error, "reason", error))}


def pids(unit):
    shown = subprocess.run(
        ["systemctl", "show", "--property", "ControlGroup", "--value", "--", unit],
        stdout=subprocess.PIPE, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    # Those of a container are in groups below its unit's.
    folders = [folder for folder, _, _ in os.walk("/sys/fs/cgroup" + shown)] if shown else []
    return [pid for folder in folders for pid in read(folder + "/cgroup.procs").split()]


def mapped(pid):
    """The files that are loaded into a process."""
    lines = [line.split(None, 5) for line in read("/proc/%s/maps" % pid).splitlines()]
    return {it[5] for it in lines if len(it) == 6 and it[5].startswith("/")}


def environment(pid):
    """Where the environment of a process lies: in its own root, which in a container is another one."""
    root = "/proc/%s/root" % pid
    path = VENV.partition("/current/")
    try:
        release = os.readlink(root + path[0] + "/current")
        return root + os.readlink("%s%s/%s/%s" % (root, path[0], release, path[2]))
    except OSError:
        return root + VENV


def modules(unit, names):
    """Of these Python packages: what the environment has, and what the unit's processes have loaded."""
    folders = [it for pid in pids(unit) for it in glob.glob(environment(pid) + "/lib/python*/site-packages")]
    installed = {name for name in names for at in folders if glob.glob("%s/%s*" % (at, name))}
    files = {path for pid in pids(unit) for path in mapped(pid)}
    loaded = {name for name in names for path in files if "/site-packages/%s" % name in path}
    return {"processes": len(pids(unit)), "installed": sorted(installed), "loaded": sorted(loaded)}


def may_open(path, user):
    """Whether a user may talk to what listens at a socket."""
    seen, who = os.stat(path), pwd.getpwnam(user)
    groups = {it.gr_gid for it in grp.getgrall() if user in it.gr_mem} | {who.pw_gid}
    return bool(
        seen.st_mode & 0o002
        or (seen.st_uid == who.pw_uid and seen.st_mode & 0o200)
        or (seen.st_gid in groups and seen.st_mode & 0o020)
    )


def containers(unit, user):
    """What of a container engine is here, and whether the unit's processes could use it."""
    sockets = [it for it in SOCKETS if os.path.exists(it)]
    environment = [read("/proc/%s/environ" % pid) for pid in pids(unit)]
    return {
        "programs": [path for name in PROGRAMS if (path := shutil.which(name))],
        "sockets": sockets,
        "open_to_backend": [it for it in sockets if may_open(it, user)],
        "docker_host": any("DOCKER_HOST=" in it for it in environment),
    }


def listening():
    shown = subprocess.run(["ss", "-ltnH"], stdout=subprocess.PIPE, text=True, check=False).stdout
    return sorted({line.split()[3] for line in shown.splitlines() if len(line.split()) > 3})


def runtimes():
    """Processes of local model servers, whoever started them."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        words = [os.path.basename(it) for it in read(path).split("\0")[:3]]
        if set(words) & set(RUNTIMES):
            found.append("%s (process %s)" % (" ".join(filter(None, words)), path.split("/")[2]))
    return sorted(found)


def main():
    request = json.load(sys.stdin)
    api = request["ollama"]
    json.dump(
        {
            "health": {unit: health(url) for unit, url in request["urls"].items()},
            "modules": modules(request["backend"], request["excluded"]),
            "containers": containers(request["backend"], request["user"]),
            "listening": listening(),
            "runtimes": runtimes(),
            "tags": get(api + "/api/tags") if api else None,
            "ps": get(api + "/api/ps") if api else None,
            "vllm": chat(*request["vllm"]) if request["vllm"] else None,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
