"""Runs on the host: how fast the model answers, measured only where nobody has to wait for it.

Ollama does not say whether it is working. It does say when a model is to be unloaded, and that moves with
the end of each request; and the kernel knows who is connected to it.
"""

import json
import urllib.request

from reading import DIRECT, get, read

EVERY = 3600  # seconds between two measurements
QUIET = 600  # seconds for which nobody asked before one; a model stays loaded for longer
TOKENS = 32
PATIENCE = 60  # seconds
CONNECTED = "01"  # the kernel's word for an established connection (proc(5), /proc/pid/net/tcp)


def measured(api, model, known, now):
    """What is known of the model's speed from now on. `known`: what was; empty at first.

    `tokens_per_second` and `at`, once it was measured; `unload` and `since`: when the model is to be
    unloaded, and since when that is so.
    """
    unload = unloaded_at(api, model)
    if unload is None:
        return {key: known[key] for key in ("tokens_per_second", "at") if key in known}
    if unload != known.get("unload"):
        return dict(known, unload=unload, since=now)
    if not due(known, now) or busy(api.rpartition(":")[2]):
        return known
    speed = generate(api, model)
    # Also where it gave no answer: the next attempt is as rare.
    found = dict(known, at=now, since=now, unload=unloaded_at(api, model))
    return dict(found, tokens_per_second=speed) if speed else found


def due(known, now):
    """Whether the last measurement is long ago, and the last question, too."""
    return now - known.get("at", 0) >= EVERY and now - known["since"] >= QUIET


def unloaded_at(api, model):
    """When the model is to be unloaded, in Ollama's words; None where it is not loaded."""
    try:
        loaded = get(api + "/api/ps")["models"]
    except (OSError, ValueError, KeyError):
        return None
    return next((it.get("expires_at", "") for it in loaded if it["name"] == model), None)


def busy(port):
    """Whether somebody is connected to the server."""
    rows = [
        line.split() for kind in ("tcp", "tcp6") for line in read("/proc/self/net/" + kind).splitlines()[1:]
    ]
    return any(int(row[1].rpartition(":")[2], 16) == int(port) and row[3] == CONNECTED for row in rows)


def generate(api, model):
    """Tokens per second of a short answer; 0 where there is none.

    It says nothing of how long the model stays, nor of its context: either would change for others.
    """
    options = {"num_predict": TOKENS, "temperature": 0}
    body = {"model": model, "prompt": "Count from one to forty.", "stream": False, "options": options}
    request = urllib.request.Request(
        api + "/api/generate", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with DIRECT.open(request, timeout=PATIENCE) as response:
            answer = json.loads(response.read())
        return round(answer["eval_count"] / (answer["eval_duration"] / 1e9), 2)
    except (OSError, ValueError, KeyError, ZeroDivisionError):
        return 0
