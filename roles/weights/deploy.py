"""The Gemma 3 weights: pulled as a job, and compared with the pin."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from engine import remote
from engine.component import Component, Need
from engine.jobs import Job
from engine.paths import MANIFESTS, MODELS, OLLAMA_STATE
from schemas.model import Model, Ollama

# They stay where no model is served.
SIZES = {"weights": MODELS}
PULL = Path(__file__).parent / "scripts" / "pull.py"


def pull_job(model: Model, ollama: Ollama, command: list[str], proxy: Sequence[str] = ()) -> Job:
    """Makes the model's manifest, which Ollama writes last: whole weights with the pinned digest.

    `command` starts the Ollama that pulls; it need not serve yet. `proxy`: names of the variables that give
    it the way out.
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


def component(
    model: Model | None, ollama: Ollama | None, command: list[str], proxy: Sequence[str]
) -> Component:
    """The model's weights; absent where no model is served. `command`, `proxy`: as for `pull_job`."""
    if not (model and ollama):
        return Component(name="weights", sizes=SIZES)
    job = pull_job(model, ollama, command, proxy)
    return Component(
        name="weights",
        jobs=(job,),
        after=("ollama",),
        needs=(_need(model, job),),
        sizes=SIZES,
    )


def _need(model: Model, job: Job) -> Need:
    # Whether Ollama's own registry answers is not asked: the pull shows it. A mirror stands before the name.
    scheme, (registry, slash, _) = "http" if model.insecure else "https", model.pull_name.partition("/")
    mirror = (f"{scheme}://{registry}/v2/",) if slash else ()
    what = f"weights {model.name}"
    return Need(what, {job.makes: job.digest}, {OLLAMA_STATE: model.size}, sources=mirror)
