"""Runs on the host after a boot: the model is loaded and must lie on the card; else it fails, with words.

After an update of kernel or driver, Ollama computes on the processors and only its log shows it.
Arguments: unit of the model server, its address, model, seconds that loading may take.
"""

import json
import sys
import time
import urllib.request

from reading import DIRECT, get
from spill import lies_outside


def load(api, model, seconds):
    """Load it, and how much of it lies where: bytes, and bytes in VRAM. Raises OSError where it cannot be."""
    body = {"model": model, "prompt": "Hi", "stream": False, "options": {"num_predict": 1}}
    headers = {"Content-Type": "application/json"}
    deadline = time.monotonic() + seconds
    while True:
        request = urllib.request.Request(api + "/api/generate", json.dumps(body).encode(), headers)
        try:
            with DIRECT.open(request, timeout=max(1, deadline - time.monotonic())) as answer:
                answer.read()
            break
        except OSError:
            # The server begins, or gave the load up with somebody else's request.
            if time.monotonic() > deadline:
                raise
            time.sleep(2)
    loaded = [it for it in get(api + "/api/ps")["models"] if it["name"] == model]
    if not loaded:
        raise OSError("it is not loaded after it answered")
    return loaded[0]["size"], loaded[0].get("size_vram", 0)


def main():
    unit, api, model, seconds = sys.argv[1:]
    try:
        size, vram = load(api, model, float(seconds))
    except (OSError, ValueError, KeyError) as error:
        sys.exit("%s cannot be loaded after the boot: %s" % (model, getattr(error, "reason", error)))
    text = "%s: %.1f GiB, %.1f GiB of it in VRAM" % (model, size / 2**30, vram / 2**30)
    print(text)
    if lies_outside(size, vram):
        sys.exit(
            "Processors compute the rest. deploy/status.py names the cause, if it is a known one;\n"
            "journalctl --boot --unit %s | grep -e compute -e driver shows what the server says of it" % unit
        )


if __name__ == "__main__":
    main()
