"""Runs on the host as a job: makes a generation the current one, or takes it back.

Applies what differs, restarts the services whose processes were started with other inputs, and waits
until each does what it is for: it answers, and a model server generates. If one does not, the
generation that served before is applied again. Because the host does this by itself, a run that ends
meanwhile leaves it in one of the two, never between.

What is quoted of a journal goes through `hidden`, of hidden.py, which stands in front of this.

Arguments: the generation's file; how many generations to keep; who asked; the seconds that the run
had taken before.
"""

import fcntl
import http.client
import json
import os
import pwd
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

GENERATIONS = "/etc/venom/generations"
CURRENT = GENERATIONS + "/current"
HISTORY = GENERATIONS + "/history"
RECEIPT = "/etc/venom/receipt.json"
STORES = [
    "/opt/venom/sources", "/opt/venom/venvs", "/opt/venom/uis", "/opt/venom/node",
    "/opt/venom/python", "/opt/venom/releases", "/opt/ollama",
]  # fmt: skip
JOBS = "/opt/venom/jobs"
CACHE = "/var/cache/venom"


class NotServingError(Exception):
    """A service that does not do what it is for."""


def step(text):
    print(text, flush=True)
    with open(os.path.join(os.environ["JOB"], "steps"), "a", encoding="utf-8") as file:
        file.write("%.3f %s\n" % (time.time(), text))


def note(text):
    """What the operator shall read although the switch goes on."""
    with open(os.path.join(os.environ["JOB"], "notes"), "a", encoding="utf-8") as file:
        file.write(text + "\n")


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)


def write(path, text, owner="root", mode=0o644):
    """A file that appears whole, readable by nobody who may not read it, at any moment."""
    user = pwd.getpwnam(owner)
    part = path + ".part"
    if os.path.lexists(part):
        os.unlink(part)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text.encode("utf-8", "surrogateescape"))
        file.flush()
        os.fchown(file.fileno(), user.pw_uid, user.pw_gid)
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    os.rename(part, path)


def read(path):
    """The file's text, or None. Never through a link: in a folder that is not root's it may lead to
    what only root can read, and end up in a file that others can."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with open(descriptor, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return None


def link(path, target):
    if os.path.islink(path) and os.readlink(path) == target:
        return
    part = path + ".part"
    if os.path.lexists(part):
        os.unlink(part)
    os.symlink(target, part)
    os.rename(part, path)


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def settings(path, values, absent, owner):
    """Set keys of a file that others write into, too; every other line stays as it is."""
    lines, left = [], dict(values)
    for line in (read(path) or "").splitlines():
        key = line.partition("=")[0].strip()
        if "=" not in line or line.lstrip().startswith("#"):
            lines.append(line)
        elif key in values:
            if key in left:
                lines.append("%s=%s" % (key, left.pop(key)))
        elif key not in absent:
            lines.append(line)
    lines += ["%s=%s" % (key, value) for key, value in sorted(left.items())]
    text = "".join(line + "\n" for line in lines)
    if text != read(path) or os.stat(path).st_mode & 0o777 != 0o600:
        write(path, text, owner, 0o600)


def managed(generation):
    return {key for it in generation["resources"] if it["kind"] == "settings" for key in it["values"]}


def apply(generation, before):
    """Make every resource so. `before` is what was applied last: its other keys are taken out."""
    gone = (managed(before) if before else set()) - managed(generation)
    for it in generation["resources"]:
        kind, path = it["kind"], it.get("path", "")
        if kind == "directory":
            user = pwd.getpwnam(it["owner"])
            os.makedirs(path, exist_ok=True)
            os.chown(path, user.pw_uid, user.pw_gid)
            os.chmod(path, int(it["mode"], 8))
        elif kind == "file":
            write(path, it["content"], it["owner"], int(it["mode"], 8))
        elif kind == "link":
            link(path, it["target"])
        elif kind == "settings":
            settings(path, it["values"], gone, it["owner"])
        elif kind == "absent":
            remove(path)
            folder = os.path.dirname(path)
            # A folder of drop-ins goes with its last one; what others put there stays.
            if folder.endswith(".service.d") and os.path.isdir(folder) and not os.listdir(folder):
                os.rmdir(folder)
    run("systemctl", "daemon-reload")
    for it in generation["resources"]:
        if it["kind"] == "enabled":
            run("systemctl", "enable", "--quiet", it["unit"])


def fingerprint(unit):
    pid = run("systemctl", "show", "--property", "MainPID", "--value", unit).stdout.strip()
    try:
        with open("/proc/%s/environ" % pid, "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return ""
    found = [it for it in variables if it.startswith(b"VENOM_FINGERPRINT=")]
    return found[0].split(b"=", 1)[1].decode() if found else ""


def state(unit):
    shown = run("systemctl", "show", "--property", "ActiveState,SubState,NRestarts", unit).stdout
    return dict(line.partition("=")[::2] for line in shown.splitlines())


def start(service):
    """Whether the service had to be started: its process has other inputs, or there is none."""
    unit = service["unit"]
    if state(unit).get("ActiveState") == "active" and fingerprint(unit) == service["fingerprint"]:
        return False
    step("start %s" % service["title"])
    run("systemctl", "reset-failed", unit)
    run("systemctl", "restart", unit)
    return True


def ask(url, body=None, timeout=10):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return answer.status, answer.read()


def answers(url):
    try:
        status, _ = ask(url)
        return "" if status == 200 else "status %s" % status
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        return str(getattr(error, "reason", error))


def wait(services):
    """Until each service answers, from a process with the inputs of this generation.

    All are asked in turns, so that none hides how long another took. Returns unit → seconds from the
    start of its process until it answered; for one that had been running, since when it runs.
    """
    begun, since = time.monotonic(), time.time()
    restarts = {it["unit"]: int(state(it["unit"]).get("NRestarts") or 0) for it in services}
    waiting, seconds = list(services), {}
    if waiting:
        step("wait for %s" % ", ".join(it["title"] for it in waiting))
    while waiting:
        for service in list(waiting):
            unit = service["unit"]
            if answered(service, time.monotonic() - begun, restarts[unit], since):
                waiting.remove(service)
                seconds[unit] = round(time.monotonic() - started(unit), 1)
                print("%s answers %.1f s after its start" % (service["title"], seconds[unit]))
        if waiting:
            time.sleep(0.3)
    return seconds


def answered(service, waited, restarts, since):
    """Whether it answers. Raises NotServingError where it will not, or not in its time."""
    unit = service["unit"]
    said = answers(service["url"])
    now = state(unit)
    if not said:
        runs = fingerprint(unit)
        if runs == service["fingerprint"]:
            return True
        said = "it runs with other inputs (%s, not %s)" % (runs or "none", service["fingerprint"])
        raise NotServingError(failure(service, said, since))
    # Told while no process of it runs: so its last words are whole.
    ended = now.get("SubState") == "auto-restart" and int(now.get("NRestarts") or 0) >= restarts + 2
    if now.get("ActiveState") == "failed" or ended:
        raise NotServingError(failure(service, "its process ends again and again", since))
    if waited > service["ready_timeout"]:
        reason = "no answer from %s within %s s (%s)" % (service["url"], service["ready_timeout"], said)
        raise NotServingError(failure(service, reason, since))
    return False


def started(unit):
    """When its main process was started, by the clock of time.monotonic."""
    shown = run("systemctl", "show", "--property", "ExecMainStartTimestampMonotonic", "--value", unit)
    return int(shown.stdout.strip() or 0) / 1e6


def generate(service):
    """Load the model by a tiny generation: a model server serves once it generates.

    Returns the seconds that it took.
    """
    wanted, begun, since = service["model"], time.monotonic(), time.time()
    api, model = wanted["api"], wanted["name"]
    step("load %s" % model)
    body = {"model": model, "prompt": "Hi", "stream": False, "options": {"num_predict": 1}}
    try:
        ask(api + "/api/generate", body, wanted["load_timeout"])
        seconds = time.monotonic() - begun
        loaded = [it for it in json.loads(ask(api + "/api/ps")[1])["models"] if it["name"] == model]
    except urllib.error.HTTPError as error:
        said = "%s cannot be loaded: %s" % (model, error.read().decode(errors="replace")[:500])
        raise NotServingError(failure(service, said, since)) from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        said = "%s cannot be loaded: %s" % (model, getattr(error, "reason", error))
        raise NotServingError(failure(service, said, since)) from error
    for it in loaded:
        size, vram = it["size"], it.get("size_vram", 0)
        context = it.get("context_length", "unknown")
        gib = (model, size / 2**30, vram / 2**30, context)
        note("%s is loaded: %.1f GiB, %.1f GiB of it in VRAM, context %s" % gib)
        if wanted["gpu"] and vram < 0.9 * size:
            note(
                "warning: %s is not wholly in VRAM, so it will be slow. Choose a smaller model or tier, "
                "or see what else uses the card (nvidia-smi)." % model
            )
    return round(seconds, 1)


def failure(service, reason, since):
    unit = service["unit"]
    # Its next attempt would only add the beginning of the same words.
    run("systemctl", "stop", unit)
    run("journalctl", "--sync")
    # A little before: the process may have ended before the waiting began.
    span = "--since=@%d" % (since - 10)
    log = run("journalctl", "--quiet", "--output=cat", "--lines=30", span, "_SYSTEMD_UNIT=" + unit)
    lines = hidden(log.stdout).strip() or "none (journalctl --unit %s may tell more)" % unit  # noqa: F821
    return "%s (%s) does not serve: %s. Its last lines:\n%s" % (service["title"], unit, reason, lines)


def switch(generation, before):
    """Make the host so. Returns what only this moment can tell: see `measured`."""
    begun = time.monotonic()
    for unit in generation["stopped"]:
        if state(unit).get("ActiveState") not in ("inactive", None):
            step("stop %s" % unit)
        run("systemctl", "disable", "--quiet", "--now", unit)
    apply(generation, before)
    new, starts, loads = set(), {}, {}
    first = [it for it in generation["services"] if it.get("first")]
    others = [it for it in generation["services"] if not it.get("first")]
    for group in (first, others):
        new.update(it["unit"] for it in group if start(it))
        if group is others:
            run("systemctl", "start", "venom.target")
        starts.update(wait(group))
    for service in generation["services"]:
        if service.get("model"):
            loads[service["unit"]] = generate(service)
    return measured(new, starts, loads, time.monotonic() - begun)


def measured(new, starts, loads, ready):
    """Seconds, for the receipt: `starts`, from the start of each service until it answered; `loads`,
    until it had loaded its model; `ready`, from the begin of the switch until all of that was so.

    What was not started anew keeps the figures of its own start.
    """
    try:
        earlier = json.loads(read(RECEIPT) or "{}")
    except ValueError:
        earlier = {}
    found = {"ready": round(ready, 1)}
    for name, now in (("starts", starts), ("loads", loads)):
        known = dict(earlier.get(name, {}), **{unit: now[unit] for unit in new if unit in now})
        found[name] = {unit: known[unit] for unit in now if unit in known}
    return found


def take_back(before, failed):
    """What served before serves again. Says how that went; never raises."""
    if before is None:
        return (
            "Nothing served here before: the host is left as it is, to look at. Run again when it is mended."
        )
    step("take back: %s" % before["name"])
    try:
        switch(before, failed)
    except (NotServingError, OSError, KeyError) as error:
        return "What served before (%s) does not serve either: %s" % (before["name"], error)
    return "What served before serves again: %s." % before["name"]


def history():
    """The keys of what was switched to, the last one last."""
    return [line.split()[-1] for line in (read(HISTORY) or "").splitlines()]


def generation_of(key):
    """What the host keeps under the key; None where that is gone, or was spoiled by hand."""
    try:
        return json.loads(read("%s/%s.json" % (GENERATIONS, key)) or "")
    except ValueError:
        return None


def prune(keep):
    """Keep the last generations, and of the stores what they need; name what was freed."""
    kept = list(dict.fromkeys(reversed(history())))[:keep]
    needed = set()
    for key in kept:
        needed.update((generation_of(key) or {"parts": []})["parts"])
    for name in os.listdir(GENERATIONS):
        if name.endswith(".json") and name[: -len(".json")] not in kept:
            os.unlink(os.path.join(GENERATIONS, name))
    # All that was downloaded is in place: what is left there belonged to runs that were cut off.
    for name in os.listdir(CACHE):
        remove(os.path.join(CACHE, name))
    for store in STORES:
        for name in os.listdir(store) if os.path.isdir(store) else []:
            path = os.path.join(store, name)
            wanted = path in needed or path.removesuffix(".lock") in needed or os.path.islink(path)
            if not wanted:
                print("freed %s" % path)
                remove(path)


def timings(since):
    """The jobs of this run: their steps with their seconds, and the bytes that they received."""
    found = {}
    for name in sorted(os.listdir(JOBS)):
        steps = [line.split(" ", 1) for line in (read(os.path.join(JOBS, name, "steps")) or "").splitlines()]
        if not steps:
            continue
        listed = [
            {"step": this[1], "seconds": round(float(following[0]) - float(this[0]), 1)}
            for this, following in zip(steps, steps[1:], strict=False)
        ]
        begun, ended = float(steps[0][0]), float(steps[-1][0])
        if begun < since:
            continue
        found[name] = {"begun": begun, "ended": ended, "steps": listed, "seconds": round(ended - begun, 1)}
        # By systemd's count, where the kernel lets it count.
        received = (read(os.path.join(JOBS, name, "received")) or "").strip()
        if received.isdigit() and int(received) < 1 << 63:
            found[name]["received"] = int(received)
    return found


def settled(key, generation, keep, who, seconds, measures):
    """The generation serves: it is the current one from now on."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if history()[-1:] != [key]:
        with open(HISTORY, "a", encoding="utf-8") as file:
            file.write("%s %s\n" % (at, key))
    link(CURRENT, key + ".json")
    step("done")
    receipt = dict(generation["record"], at=at, by=who, generation=key)
    receipt.update(measures, seconds=round(seconds, 1), branches=timings(time.time() - seconds))
    write(RECEIPT, json.dumps(receipt, indent=2) + "\n")
    prune(keep)


def main():
    begun = time.monotonic()
    path, keep, who, elapsed = sys.argv[1:]
    key = os.path.basename(path)[: -len(".json")]
    generation = json.loads(read(path))
    before_key = os.readlink(CURRENT)[: -len(".json")] if os.path.islink(CURRENT) else ""
    before = generation_of(before_key)
    try:
        measures = switch(generation, before)
    except (NotServingError, OSError, KeyError) as error:
        # A full disk, a user that is gone: what was begun is taken back, too.
        outcome = take_back(before, generation)
        if key != before_key:
            os.unlink(path)
        with open(os.path.join(os.environ["JOB"], "error"), "w", encoding="utf-8") as file:
            file.write("%s\n\n%s\n" % (error, outcome))
        sys.exit(1)
    seconds = float(elapsed) + time.monotonic() - begun
    settled(key, generation, int(keep), who, seconds, measures)


if __name__ == "__main__":
    with open("/run/venom-activate.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        main()
