"""The backend from its image: the same start script, settings and port, in a container."""

from __future__ import annotations

from collections.abc import Mapping

from engine import containers, paths, proxy, services
from engine.component import Component, Port
from engine.containers import Container
from engine.drop_in import drop_in, text
from engine.env import settings_digest
from engine.release import ImageRelease
from engine.resources import Switchable
from engine.services import Service
from roles.backend.deploy import CONCERNS, MEMORY_BYTES, UNIT, environment_of, state
from schemas.model import HostPlan

# In the unit they would be the engine's, which runs as root: no home that others can write.
_ENGINES_OWN = ("HOME", "PATH")
# Of the image, packed.
_TYPICAL_BYTES = int(0.35e9)


def service(plan: HostPlan, release: ImageRelease, settings: Mapping[str, str]) -> Service:
    """The backend as a running service, and the fingerprint of all that it depends on."""
    unit = _fingerprint(plan, release, settings)
    return Service(
        unit=UNIT,
        title="Backend",
        fingerprint=f"{unit}.{release.backend_key}.{settings_digest(settings)}",
        url=f"http://127.0.0.1:{plan.backend.port}/healthz",
        ready_timeout=plan.backend.ready_timeout,
        runner=containers.runner(release.engine),
    )


def resources(plan: HostPlan, release: ImageRelease, settings: Mapping[str, str]) -> list[Switchable]:
    """The backend's unit, and what it is started with. `settings`: whose names it gives the start script."""
    environment = _environment(plan, release, settings)
    return [
        *containers.resources(_container(plan, release, environment), release.engine),
        *drop_in(
            UNIT,
            _passed(environment),
            _fingerprint(plan, release, settings),
            proxy=proxy.way(plan).digest,
        ),
    ]


def _fingerprint(plan: HostPlan, release: ImageRelease, settings: Mapping[str, str]) -> str:
    environment = _environment(plan, release, settings)
    unit = containers.unit_text(_container(plan, release, environment), release.engine)
    passed = text(_passed(environment), "", proxy=proxy.way(plan).digest)
    return services.fingerprint({"unit": unit, "environment": passed})


def _environment(plan: HostPlan, release: ImageRelease, settings: Mapping[str, str]) -> dict[str, str]:
    variables = environment_of(plan, settings, [f"{paths.CURRENT}/venv/bin"])
    return {**variables, "VENOM_IMAGE": release.backend_key}


def _passed(environment: Mapping[str, str]) -> dict[str, str]:
    """What the unit has, and the container gets of it by name."""
    return {name: value for name, value in environment.items() if name not in _ENGINES_OWN}


def _container(plan: HostPlan, release: ImageRelease, environment: Mapping[str, str]) -> Container:
    return Container(
        unit=UNIT,
        description="Venom backend (FastAPI)",
        image=release.images.backend,
        user="venom",
        entrypoint=f"{paths.CURRENT}/backend",
        command=(),
        directory=paths.STATE,
        passes=(*_passed(environment), "VENOM_FINGERPRINT", *proxy.names(plan, proxy.BOTH)),
        environment={name: environment[name] for name in _ENGINES_OWN},
        # Its command, which Venom looks for, and deletes models by.
        readable=(paths.CA_FOLDER, *([paths.OLLAMAS] if plan.ollama else [])),
        writable=(paths.STATE,),
        # Weights first, backend second: without its model in Ollama, Venom rewrites its own settings.
        after=("ollama.service",),
    )


def component(plan: HostPlan, release: ImageRelease, settings: Mapping[str, str]) -> Component:
    """The backend from its image."""
    image, engine = release.images.backend, release.engine
    job = containers.pull_job(image, engine, plan.arch, "Backend image")
    return Component(
        name="backend",
        resources=(*state(settings), *resources(plan, release, settings)),
        jobs=(job,),
        service=service(plan, release, settings),
        unit=UNIT,
        ports=(Port(plan.backend.port, "backend"),),
        needs=(containers.need_of(image, {job.makes: ""}, _TYPICAL_BYTES),),
        memory=MEMORY_BYTES,
        concerns=CONCERNS,
    )
