"""The Gemma 3 weights: pulled as a job, and compared with the pin."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine import pieces, remote
from engine.component import Component, Need
from engine.fetch import sources_of
from engine.jobs import Job
from engine.paths import MANIFESTS, MODELS, OLLAMA_STATE
from engine.pieces import Passing
from schemas.model import Model, Ollama, Store

# They stay where no model is served.
SIZES = {"weights": MODELS}
PULL = Path(__file__).parent / "scripts" / "pull.py"


def pull_job(
    model: Model,
    ollama: Ollama,
    command: list[str],
    proxy: Sequence[str] = (),
    store: Store | None = None,
    passing: Passing | None = None,
) -> Job:
    """Makes the model's manifest, which Ollama writes last: whole weights with the pinned digest.

    `command` starts the Ollama that pulls; it need not serve yet. `proxy`: names of the variables that give
    it the way out; `store`: is asked first, and alone where it is closed; `passing`: who has the largest part
    before that. Ollama does not fetch what lies there already.
    """
    name, tag = model.name.split(":")
    places: list[dict[str, Any]] = [{"name": model.pull_name, "insecure": model.insecure}]
    if store:
        places = [_within(store, model), *([] if store.closed and not _mirrored(model) else places)]
    request = {
        "command": command,
        "contained": ollama.image is not None,
        "env": dict(ollama.env),
        "models": MODELS,
        "name": model.name,
        "places": places,
        "proxy": list(proxy),
        "digest": model.digest,
        "size": model.size,
    }
    layer = passing.layer if passing else ""
    before = pieces.lines(passing, layer, f"{MODELS}/blobs/sha256-{layer}")
    if before:
        before = f"step {shlex.quote(f'{model.name} from the fleet')}\n{before}"
    script = f"{before}exec {remote.PYTHON} - {shlex.quote(json.dumps(request))} <<'PYTHON'\n"
    return Job(
        name="weights",
        title=f"Weights {model.name}",
        key=f"{model.digest[:12]} {' '.join(it['name'] for it in places)}",
        makes=f"{MANIFESTS}/registry.ollama.ai/library/{name}/{tag}",
        digest=model.digest,
        script=f"{script}{PULL.read_text(encoding='utf-8')}PYTHON\n",
    )


def component(
    model: Model | None,
    ollama: Ollama | None,
    command: list[str],
    proxy: Sequence[str],
    store: Store | None = None,
    passing: Passing | None = None,
) -> Component:
    """The model's weights; absent where no model is served. The others are as for `pull_job`."""
    if not (model and ollama):
        return Component(name="weights", sizes=SIZES)
    job = pull_job(model, ollama, command, proxy, store, passing)
    return Component(
        name="weights",
        jobs=(job,),
        after=("ollama",),
        needs=(_need(model, job, store),),
        sizes=SIZES,
    )


def _need(model: Model, job: Job, store: Store | None) -> Need:
    # Whether Ollama's own registry answers is not asked: the pull shows it.
    scheme, registry = "http" if model.insecure else "https", model.pull_name.partition("/")[0]
    mirror = f"{scheme}://{registry}/v2/" if _mirrored(model) else ""
    return Need(
        what=f"weights {model.name}",
        unless={job.makes: job.digest},
        disk={OLLAMA_STATE: model.size},
        sources=sources_of(store, "v2/", mirror),
        brings=(f"manifest of {model.name}", f"blob of {model.name}"),
    )


def _within(store: Store, model: Model) -> dict[str, Any]:
    """The model in the store's registry, as a name for Ollama."""
    scheme, _, place = store.url.partition("://")
    return {"name": f"{place}/library/{model.name}", "insecure": scheme == "http"}


def _mirrored(model: Model) -> bool:
    """Whether it comes from a registry of the operator's own, which stands before its name."""
    return model.pull_name != model.name
