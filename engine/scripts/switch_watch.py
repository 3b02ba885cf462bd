"""Runs on the host: after a switch, a chat ends well, and for a while no service ends by itself."""

import http.client
import json
import time
import urllib.error

from switch_files import run
from switch_services import NotServingError, ask, failure, step, wait

_TICK = 1.0


def watch(generation, wanted):
    """Raises NotServingError where a service does not go on serving.

    `wanted`: `seconds` to watch for; `chat`, or null where nothing can answer one: the `url` of Venom's
    tasks, the `question`, the `unit` that answers, and the `seconds` that it may take.
    """
    services = generation["services"]
    begun, since = processes(services), time.time()
    if wanted["chat"]:
        chat(wanted["chat"], services, since)
    deadline = time.monotonic() + wanted["seconds"]
    if wanted["seconds"]:
        step("watch for %d s" % wanted["seconds"])
    while True:
        now = processes(services)
        for service in services:
            if now[service["unit"]] != begun[service["unit"]]:
                after = "%.0f s after the switch" % (time.time() - since)
                raise NotServingError(failure(service, "it answered, and ended by itself %s" % after, since))
        left = deadline - time.monotonic()
        if left <= 0:
            break
        time.sleep(min(_TICK, left))
    # What reloads has proven itself by its own way, and its process is the same. Nothing gets a restart here.
    wait([it for it in services if not it.get("reloads")], {it["unit"] for it in services})


def processes(services):
    """unit → how often it was started again, and its main process: what changes when it ends."""
    names = [it["unit"] for it in services]
    if not names:
        return {}
    # One block each, in the order in which they are named.
    blocks = run("systemctl", "show", "--property=NRestarts,MainPID", *names).stdout.strip().split("\n\n")
    return {name: sorted(it.splitlines()) for name, it in zip(names, blocks, strict=False)}


def chat(wanted, services, since):
    """Ask Venom a question. Raises NotServingError where no answer comes in its time."""
    step("ask a question")
    service = next(it for it in services if it["unit"] == wanted["unit"])
    body = {"content": wanted["question"], "session_id": "rollout", "store_knowledge": False}
    deadline = time.monotonic() + wanted["seconds"]
    try:
        url = "%s/%s" % (wanted["url"], json.loads(ask(wanted["url"], body)[1])["task_id"])
        task = json.loads(ask(url)[1])
        while task["status"] not in ("COMPLETED", "FAILED"):
            if time.monotonic() > deadline:
                reason = "a chat has no end after %d s" % wanted["seconds"]
                raise NotServingError(failure(service, reason, since))
            time.sleep(0.3)
            task = json.loads(ask(url)[1])
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError, LookupError) as error:
        reason = "a chat cannot be had: %s" % getattr(error, "reason", error)
        raise NotServingError(failure(service, reason, since)) from error
    if task["status"] == "FAILED":
        words = str(task.get("result") or "no words")[:200]
        raise NotServingError(failure(service, "a chat fails: %s" % words, since))
