"""`vllm serve MODEL …`: answers as vLLM's server does; what it says is the same for every question.

It demands of its unit what the real one does: a model's folder, a cache of its own that it can write to and
load code from, nothing from the hub, netlink sockets. It has no model to load, so it listens at once.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

WORDS = "I am the lab's stand-in for vLLM: no model has computed this."


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="vllm")
    serve = parser.add_subparsers(required=True).add_parser("serve")
    serve.add_argument("model", type=Path)
    serve.add_argument("--served-model-name", required=True)
    serve.add_argument("--host", required=True)
    serve.add_argument("--port", type=int, required=True)
    serve.add_argument("--gpu-memory-utilization", type=float, required=True)
    serve.add_argument("--max-model-len", type=int, required=True)
    serve.add_argument("--max-num-batched-tokens", type=int, required=True)
    serve.add_argument("--enforce-eager", action="store_true")
    given = parser.parse_args()
    demand(given.model)
    print(f"stand-in for vLLM: serves {given.served_model_name}", flush=True)
    ThreadingHTTPServer((given.host, given.port), handler(given.served_model_name)).serve_forever()


def demand(model: Path) -> None:
    """End where the real one could not work."""
    json.loads((model / "config.json").read_text())
    if os.environ.get("HF_HUB_OFFLINE") != "1":
        sys.exit("it would ask the hub")
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()
    # What Triton does: a program is compiled, and run from the cache.
    cache = Path(os.environ["TRITON_CACHE_DIR"])
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "answer.c").write_text("#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n")
    subprocess.run(["gcc", "-o", cache / "answer", cache / "answer.c"], check=True)
    subprocess.run([cache / "answer"], check=True)


def handler(name: str) -> type[BaseHTTPRequestHandler]:
    """What answers for the model of this name."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Health, and the list of models."""
            if self.path == "/health":
                self._send({})
            elif self.path == "/v1/models":
                self._send(
                    {"object": "list", "data": [{"id": name, "object": "model", "owned_by": "stand-in"}]}
                )
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            """A chat, whole or as a stream."""
            asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            if self.path != "/v1/chat/completions" or asked.get("model") != name:
                self.send_error(404, f"no model {asked.get('model')}")
                return
            about = {"id": "chatcmpl-0", "created": int(time.time()), "model": name}
            if not asked.get("stream"):
                choice = {
                    "index": 0,
                    "message": {"role": "assistant", "content": WORDS},
                    "finish_reason": "stop",
                }
                self._send({**about, "object": "chat.completion", "choices": [choice]})
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for delta, reason in (({"role": "assistant", "content": WORDS}, None), ({}, "stop")):
                choices = [{"index": 0, "delta": delta, "finish_reason": reason}]
                event = {**about, "object": "chat.completion.chunk", "choices": choices}
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")

        def _send(self, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler


if __name__ == "__main__":
    main()
