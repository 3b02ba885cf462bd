"""The backend from its image: the same start script, settings and port, in a container."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from engine import containers, paths, proxy
from engine.component import Component, Port
from engine.contained import Contained
from engine.containers import Container
from engine.env import settings_digest
from engine.release import ImageRelease
from engine.services import Data, Service
from roles.backend import room
from roles.backend.deploy import CONCERNS, MEMORY_BYTES, UNIT, environment_of, state
from schemas.model import HostPlan

# In the unit they would be the engine's, which runs as root: no home that others can write.
_ENGINES_OWN = ("HOME", "PATH")
# Of the image, packed.
_TYPICAL_BYTES = int(0.35e9)


def _contained(plan: HostPlan, release: ImageRelease, settings: Mapping[str, str]) -> Contained:
    environment = environment_of(plan, settings, [f"{paths.CURRENT}/venv/bin"])
    environment |= {"VENOM_IMAGE": release.backend_key}
    passed = {name: value for name, value in environment.items() if name not in _ENGINES_OWN}
    container = Container(
        unit=UNIT,
        description="Venom backend (FastAPI)",
        image=release.images.backend,
        user="venom",
        entrypoint=f"{paths.CURRENT}/backend",
        command=(),
        directory=paths.STATE,
        passes=(*passed, "VENOM_FINGERPRINT", *proxy.names(plan, proxy.BOTH)),
        environment={name: environment[name] for name in _ENGINES_OWN},
        # Its command, which Venom looks for, and deletes models by.
        readable=(paths.CA_FOLDER, *([paths.OLLAMAS] if plan.ollama else [])),
        writable=(paths.STATE,),
        # Weights first, backend second: without its model in Ollama, Venom rewrites its own settings.
        after=("ollama.service",),
    )
    return Contained(container, release.engine, passed, proxy=proxy.way(plan).digest)


def component(plan: HostPlan, release: ImageRelease, settings: Mapping[str, str]) -> Component:
    """The backend from its image. `settings`: keys of its environment file, with their values."""
    image, engine, contained = release.images.backend, release.engine, _contained(plan, release, settings)
    job = containers.pull_job(image, engine, plan.arch, "Backend image")
    return Component(
        name="backend",
        resources=(*state(settings), *contained.resources),
        jobs=(job,),
        service=Service(
            unit=UNIT,
            title="Backend",
            fingerprint=f"{contained.fingerprint}.{release.backend_key}.{settings_digest(settings)}",
            url=f"http://127.0.0.1:{plan.backend.port}/healthz",
            ready_timeout=plan.backend.ready_timeout,
            runner=containers.runner(engine),
            data=Data(paths.STATE, release.backend_key),
        ),
        unit=UNIT,
        ports=(Port(plan.backend.port, "backend"),),
        needs=(containers.need_of(image, {job.makes: ""}, _TYPICAL_BYTES),),
        memory=MEMORY_BYTES,
        unfit=partial(room.unfit, UNIT, release.backend_key),
        concerns=CONCERNS,
    )
