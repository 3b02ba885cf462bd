"""Runs on the host: services are started with the inputs of a generation, and proven to serve."""

import http.client
import json
import os
import time
import urllib.error
import urllib.request

import blobs
from fingerprint import fingerprint as of_process
from hidden import hidden
from spill import lies_outside
from switch_files import run

# What is asked is on this very host, whatever proxy the job is given.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

SPILLED = """%s (%s) does not serve as planned:
required  %s wholly in VRAM
found     %.1f GiB, %.1f GiB of it in VRAM: processors compute the rest
do        see what else uses the card (nvidia-smi), and what Ollama says of it (journalctl -u %s);
          or choose a smaller model or VRAM tier, or write `gpu: {spill: allow}` in the inventory"""


class NotServingError(Exception):
    """A service that does not do what it is for."""


def step(text):
    print(text, flush=True)
    with open(os.path.join(os.environ["JOB"], "steps"), "a", encoding="utf-8") as file:
        file.write("%.3f %s\n" % (time.time(), text))


def report(text):
    """What the operator shall read although the switch goes on."""
    with open(os.path.join(os.environ["JOB"], "notes"), "a", encoding="utf-8") as file:
        file.write(text + "\n")


def fingerprint(unit):
    return of_process(run("systemctl", "show", "--property", "MainPID", "--value", unit).stdout.strip())


def state(unit):
    shown = run("systemctl", "show", "--property", "ActiveState,SubState,NRestarts", unit).stdout
    return dict(line.partition("=")[::2] for line in shown.splitlines())


def start(service):
    """Whether the service had to be started: its process has other inputs, or there is none."""
    unit = service["unit"]
    if state(unit).get("ActiveState") == "active" and fingerprint(unit) == service["fingerprint"]:
        return False
    step("start %s" % service["title"])
    restart(unit)
    return True


def restart(unit):
    run("systemctl", "reset-failed", unit)
    run("systemctl", "restart", unit)


def ask(url, body=None, timeout=10):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with DIRECT.open(request, timeout=timeout) as answer:
        return answer.status, answer.read()


def answers(url):
    try:
        status, _ = ask(url)
        return "" if status == 200 else "status %s" % status
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        return str(getattr(error, "reason", error))


def wait(services, new):
    """Until each service answers, from a process with the inputs of this generation.

    All are asked in turns, so that none hides how long another took. One that had been running, and does
    not answer in its time, hangs: it is restarted, once, and joins `new`, the units that were started.
    Returns unit → seconds from the start of its process until it answered; for one that had been running,
    since when it runs.
    """
    since = time.time()
    begun = {it["unit"]: time.monotonic() for it in services}
    restarts = {it["unit"]: int(state(it["unit"]).get("NRestarts") or 0) for it in services}
    waiting, seconds = list(services), {}
    if waiting:
        step("wait for %s" % ", ".join(it["title"] for it in waiting))
    while waiting:
        for service in list(waiting):
            unit = service["unit"]
            waited = time.monotonic() - begun[unit]
            if waited > service["ready_timeout"] and unit not in new and answers(service["url"]):
                step("restart %s, which does not answer" % service["title"])
                restart(unit)
                new.add(unit)
                begun[unit], restarts[unit] = time.monotonic(), 0
            elif answered(service, waited, restarts[unit], since):
                waiting.remove(service)
                seconds[unit] = round(time.monotonic() - started(unit), 1)
                print("%s answers %.1f s after its start" % (service["title"], seconds[unit]))
        if waiting:
            time.sleep(0.3)
    return seconds


def answered(service, waited, restarts, since):
    """Whether it answers. Raises NotServingError where it will not, or not in its time."""
    unit = service["unit"]
    problem = answers(service["url"])
    now = state(unit)
    if not problem:
        runs = fingerprint(unit)
        if runs == service["fingerprint"]:
            return True
        problem = "it runs with other inputs (%s, not %s)" % (runs or "none", service["fingerprint"])
        raise NotServingError(failure(service, problem, since))
    # Reported while no process of it runs: so its last words are whole.
    ended = now.get("SubState") == "auto-restart" and int(now.get("NRestarts") or 0) >= restarts + 2
    if now.get("ActiveState") == "failed" or ended:
        raise NotServingError(failure(service, "its process ends again and again", since))
    if waited > service["ready_timeout"]:
        reason = "no answer from %s within %s s (%s)" % (service["url"], service["ready_timeout"], problem)
        raise NotServingError(failure(service, reason, since))
    return False


def started(unit):
    """When its main process was started, by the clock of time.monotonic."""
    shown = run("systemctl", "show", "--property", "ExecMainStartTimestampMonotonic", "--value", unit)
    return int(shown.stdout.strip() or 0) / 1e6


def generate(service, spill=False):
    """Load the model by a tiny generation: a model server serves once it generates.

    `spill`: whether it serves although part of the model lies outside VRAM, whatever its generation says.
    Returns the seconds that it took.
    """
    wanted, begun, since = service["model"], time.monotonic(), time.time()
    api, model = wanted["api"], wanted["name"]
    step("load %s" % model)
    try:
        load(api, model, wanted["load_timeout"])
        seconds = time.monotonic() - begun
        loaded = [it for it in json.loads(ask(api + "/api/ps")[1])["models"] if it["name"] == model]
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = "%s cannot be loaded: %s" % (model, getattr(error, "reason", error))
        raise NotServingError(failure(service, reason, since) + damaged(wanted)) from error
    for it in loaded:
        size, vram = it["size"], it.get("size_vram", 0)
        context = it.get("context_length", "unknown")
        gib = (model, size / 2**30, vram / 2**30, context)
        report("%s is loaded: %.1f GiB, %.1f GiB of it in VRAM, context %s" % gib)
        if spilled(service, size, vram, spill):
            report(
                "warning: %s is not wholly in VRAM, so it will be slow. Choose a smaller model or VRAM tier, "
                "or see what else uses the card (nvidia-smi)." % model
            )
        elif wanted.get("checked_by"):
            # What the check after the boot may have found is so no more.
            run("systemctl", "reset-failed", wanted["checked_by"])
    return round(seconds, 1)


def spilled(service, size, vram, spill):
    """Whether part of the model lies outside VRAM, of `size` and `vram` bytes, on a host with a card.

    Raises NotServingError where it must not: neither its generation allows that nor `spill`.
    """
    wanted = service["model"]
    if not wanted["gpu"] or not lies_outside(size, vram):
        return False
    # A generation that does not say so was made before it could, or does not allow it.
    if not (spill or wanted.get("may_spill")):
        gib = (size / 2**30, vram / 2**30)
        unit = service["unit"]
        raise NotServingError(SPILLED % (service["title"], unit, wanted["name"], *gib, unit))
    return True


def load(api, model, timeout):
    """Have the server load the model, within `timeout` seconds.

    Ollama ends a load when the request that began it is given up (llm/server.go, WaitUntilRunning), and
    with it everybody's who waits for the same model: that is no fault of the model, so it is asked again.
    """
    body = {"model": model, "prompt": "Hi", "stream": False, "options": {"num_predict": 1}}
    deadline = time.monotonic() + timeout
    while True:
        try:
            return ask(api + "/api/generate", body, max(1, deadline - time.monotonic()))
        except urllib.error.HTTPError as error:
            answer = error.read()
            if b"context canceled" not in answer or time.monotonic() > deadline:
                # Of what it cannot read, Ollama says nothing but a status.
                message = answer.decode(errors="replace")[:500] or "no words"
                raise OSError("status %s, %s" % (error.code, message)) from error
            print("%s: an earlier request for it was given up; asking again" % model, flush=True)


def damaged(wanted):
    """Which files of the weights are not what their names say, and what to do; empty where all are."""
    manifest = wanted.get("manifest", "")
    try:
        wrong = blobs.damaged(manifest)
    except (OSError, ValueError, LookupError, TypeError):
        return ""
    if not wrong:
        return ""
    found = ["found     %s: %s" % (it, "damaged" if os.path.exists(it) else "not there") for it in wrong]
    remedy = "do        rm -f %s, and run again: the missing file is pulled again"
    lines = ["required  weights whose files match the digests in their names", *found]
    return "\n".join(["", *lines, remedy % " ".join([manifest, *wrong])])


def failure(service, reason, since):
    unit = service["unit"]
    # Its next attempt would only add the beginning of the same words.
    run("systemctl", "stop", unit)
    run("journalctl", "--sync")
    # A little before: the process may have ended before the waiting began.
    span = "--since=@%d" % (since - 10)
    # Backwards: with --since alone, --lines takes the first lines of that time.
    arguments = ("--quiet", "--output=cat", "--reverse", "--lines=30", span, "_SYSTEMD_UNIT=" + unit)
    last = "\n".join(reversed(run("journalctl", *arguments).stdout.splitlines()))
    lines = hidden(last).strip() or "none (journalctl --unit %s may show more)" % unit
    return "%s (%s) does not serve: %s. Its last lines:\n%s" % (service["title"], unit, reason, lines)
