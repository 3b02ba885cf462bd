"""The lab's upstream: what hosts download from instead of the Internet.

    python -m lab.upstream prepare     build what it serves, once
    python -m lab.upstream serve       release files on one port, models and images on two others

It stands for github.com, nodejs.org and registry.ollama.ai, which a lab machine often cannot reach, and
lays things out as they do, so that the product's own way of downloading is what runs. Genuine are: the
weights, the node binary and npm, and Python where the pinned build can be fetched. Ollama is the stand-in
of `lab/ollama`, unless VENOM_LAB_OLLAMA names a genuine one (`lab.upstream_ollama`). `prepare` writes the
digests of all that into STATE/pins.yaml.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence

from lab import upstream_image_registry, upstream_pins, upstream_work
from lab.state import LabError
from lab.upstream_files import FilesHandler
from lab.upstream_http import REQUEST_LOG, RequestLog, Upstream
from lab.upstream_image_registry import ImagesHandler
from lab.upstream_registry import RegistryHandler


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 1 with one line for what the person at the keyboard can act on."""
    given = _parser().parse_args(argv)
    try:
        if given.command == "prepare":
            upstream_pins.prepare()
        else:
            serve(given.bind, given.files_port, given.registry_port, given.images_port)
    except LabError as error:
        print(f"lab upstream: {error}", file=sys.stderr)
        return 1
    return 0


def serve(bind: str, files_port: int, registry_port: int, images_port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    log = RequestLog(REQUEST_LOG)
    try:
        servers = [
            Upstream((bind, files_port), FilesHandler, upstream_work.FILES, log),
            Upstream((bind, registry_port), RegistryHandler, upstream_work.REGISTRY, log),
            Upstream((bind, images_port), ImagesHandler, upstream_image_registry.STORE, log),
        ]
    except OSError as error:
        raise LabError(f"cannot listen on {bind}: {error}") from None
    threads = [threading.Thread(target=server.serve_forever) for server in servers]

    def stop(*_: object) -> None:
        for server in servers:
            threading.Thread(target=server.shutdown).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    for thread in threads:
        thread.start()
    places = f"files on http://{bind}:{files_port}, models on :{registry_port}, images on :{images_port}"
    print(places, flush=True)
    for thread in threads:
        thread.join()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab.upstream", description=(__doc__ or "").split("\n")[0]
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("prepare", help="build what is missing of what is served")
    serving = commands.add_parser("serve", help="serve it until it is stopped")
    serving.add_argument("--bind", default="10.77.0.1", metavar="ADDRESS")
    serving.add_argument("--files-port", type=int, default=8080, metavar="PORT")
    serving.add_argument("--registry-port", type=int, default=5000, metavar="PORT")
    serving.add_argument("--images-port", type=int, default=5002, metavar="PORT")
    return parser


if __name__ == "__main__":
    sys.exit(main())
