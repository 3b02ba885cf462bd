"""The Gemma 3 weights: pulled by Ollama as a job, compared with the pin, warmed up."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from pyinfra.api.command import FunctionCommand, QuoteString, StringCommand
from pyinfra.api.deploy import deploy
from pyinfra.api.operation import operation
from pyinfra.context import host

from roles.common import jobs, remote
from roles.common.jobs import Job
from roles.common.look import Seen
from roles.common.operations import Commands, fail
from roles.common.paths import MODELS
from schemas.model import Model

PULL = Path(__file__).parent / "scripts" / "pull.py"
# Loading 17 GB from a slow disk takes minutes; Ollama's own stall limit ends what hangs before this.
WARM_UP_SECONDS = 1200


def pull_job(model: Model, port: int) -> Job:
    """Makes the model's manifest, which Ollama writes last: whole weights with the pinned digest."""
    name, tag = model.name.split(":")
    request = {
        "api": _api(port),
        "name": model.name,
        "pull_name": model.pull_name,
        "insecure": model.insecure,
        "digest": model.digest,
        "size": model.size,
    }
    script = f"exec python3 - {shlex.quote(json.dumps(request))} <<'PYTHON'\n"
    return Job(
        name="weights",
        title=f"Weights {model.name}",
        key=f"{model.digest[:12]} {model.pull_name}",
        makes=f"{MODELS}/manifests/registry.ollama.ai/library/{name}/{tag}",
        digest=model.digest,
        script=f"{script}{PULL.read_text(encoding='utf-8')}PYTHON\n",
    )


def _api(port: int) -> str:
    return f"http://127.0.0.1:{port}"


@deploy("Weights")
def pull(job: Job, seen: Seen) -> None:
    """Start the pull; other work goes on meanwhile."""
    jobs.start(name="start the pull", job=job, seen=seen)


@deploy("Weights")
def weights(model: Model, port: int, job: Job, gpu: bool, proven: bool, seen: Seen) -> None:
    """Wait for the weights and load them, so that the first chat does not pay for it."""
    jobs.finish(name="pull", job=job, seen=seen)
    warm(name="warm up", model=model, port=port, gpu=gpu, needed=not proven or not job.done(seen))


@operation()
def warm(model: Model, port: int, gpu: bool, needed: bool) -> Commands:
    """
    Load the model by a tiny generation and say where it lies.

    + model: which
    + port: of Ollama
    + gpu: whether the host has a card that it should lie on
    + needed: whether anything changed that a loaded model depends on
    """
    if not needed:
        host.noop(f"{model.name} is served as before")
        return
    yield FunctionCommand(_warm, (model, port, gpu), {})


def _warm(state: Any, host: Any, model: Model, port: int, gpu: bool) -> bool:
    request = {"model": model.name, "prompt": "Hi", "stream": False, "options": {"num_predict": 1}}
    loaded = remote.ask(_post(f"{_api(port)}/api/generate", request, WARM_UP_SECONDS), WARM_UP_SECONDS)
    if not loaded.ok:
        return fail(
            state,
            host,
            f"required  {model.name} generates\nfound     {loaded.stderr.strip() or loaded.stdout}\n"
            "do        journalctl -u ollama tells why; a smaller model or tier needs less memory",
        )
    answer = remote.ask(StringCommand("curl", "-sS", "--fail", f"{_api(port)}/api/ps"))
    models = json.loads(answer.stdout)["models"] if answer.ok else []
    for running in models:
        if running["name"] == model.name:
            size, vram = running["size"], running.get("size_vram", 0)
            host.log(
                f"{model.name} is loaded: {size / 2**30:.1f} GiB, {vram / 2**30:.1f} GiB of it in VRAM, "
                f"context {running.get('context_length', 'unknown')}"
            )
            if gpu and vram < 0.9 * size:
                host.log_styled(
                    f"{model.name} is not wholly in VRAM: it will be slow. Choose a smaller model or "
                    "tier, or see what else uses the card (nvidia-smi).",
                    fg="yellow",
                )
    return True


def _post(url: str, body: object, seconds: int) -> StringCommand:
    return StringCommand(
        *("curl", "--silent", "--show-error", "--fail-with-body", "--max-time", str(seconds)),
        *(
            "--header",
            "Content-Type:application/json",
            "--data",
            QuoteString(json.dumps(body)),
            url,
        ),
    )
