"""The Gemma 3 weights: pulled as a job, and compared with the pin."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from pyinfra.api.deploy import deploy

from engine import jobs, remote
from engine.jobs import Job
from engine.observation import Seen
from engine.paths import MANIFESTS, MODELS
from schemas.model import Model, Ollama

PULL = Path(__file__).parent / "scripts" / "pull.py"


def pull_job(model: Model, ollama: Ollama, command: list[str], proxy: Sequence[str] = ()) -> Job:
    """Makes the model's manifest, which Ollama writes last: whole weights with the pinned digest.

    `command` starts the Ollama that pulls; it need not serve yet. `proxy`: names of the variables that it is
    told of the way out.
    """
    name, tag = model.name.split(":")
    request = {
        "command": command,
        "contained": ollama.image is not None,
        "env": dict(ollama.env),
        "models": MODELS,
        "name": model.name,
        "pull_name": model.pull_name,
        "proxy": list(proxy),
        "insecure": model.insecure,
        "digest": model.digest,
        "size": model.size,
    }
    script = f"exec {remote.PYTHON} - {shlex.quote(json.dumps(request))} <<'PYTHON'\n"
    return Job(
        name="weights",
        title=f"Weights {model.name}",
        key=f"{model.digest[:12]} {model.pull_name}",
        makes=f"{MANIFESTS}/registry.ollama.ai/library/{name}/{tag}",
        digest=model.digest,
        script=f"{script}{PULL.read_text(encoding='utf-8')}PYTHON\n",
    )


@deploy("Weights")
def pull(job: Job, seen: Seen) -> None:
    """Start the pull; other work goes on meanwhile."""
    jobs.start(name="start the pull", job=job, seen=seen)


@deploy("Weights")
def pulled(job: Job, seen: Seen) -> None:
    """Wait for the weights."""
    jobs.finish(name="pull", job=job, seen=seen)
