"""The UI from its image: the same start script and port, in a container that can write nothing."""

from __future__ import annotations

from engine import containers, paths, services
from engine.component import Component, Port
from engine.containers import Container
from engine.drop_in import drop_in, text
from engine.release import ImageRelease
from engine.resources import Switchable
from engine.services import Service
from roles.ui.deploy import CONCERNS, MEMORY_BYTES, UNIT, reaches_loopback_only
from schemas.model import HostPlan

# Of the image, packed.
_TYPICAL_BYTES = int(0.15e9)


def service(plan: HostPlan, release: ImageRelease) -> Service:
    """The UI as a running service, and the fingerprint of all that it depends on."""
    return Service(
        unit=UNIT,
        title="UI",
        fingerprint=f"{_fingerprint(plan, release)}.{release.ui_key}",
        url=f"http://127.0.0.1:{plan.ui.port}/",
        ready_timeout=60,
        runner=containers.runner(release.engine),
    )


def resources(plan: HostPlan, release: ImageRelease) -> list[Switchable]:
    """The UI's unit, and what it is started with."""
    environment, loopback = _environment(plan, release), reaches_loopback_only(plan.ui.run_env)
    return [
        *containers.resources(_container(release, environment), release.engine),
        *drop_in(UNIT, environment, _fingerprint(plan, release), loopback=loopback),
    ]


def _fingerprint(plan: HostPlan, release: ImageRelease) -> str:
    environment, loopback = _environment(plan, release), reaches_loopback_only(plan.ui.run_env)
    unit = containers.unit_text(_container(release, environment), release.engine)
    return services.fingerprint({"unit": unit, "environment": text(environment, "", loopback=loopback)})


def _environment(plan: HostPlan, release: ImageRelease) -> dict[str, str]:
    return {**plan.ui.run_env, "VENOM_IMAGE": release.ui_key}


def _container(release: ImageRelease, environment: dict[str, str]) -> Container:
    return Container(
        unit=UNIT,
        description="Venom UI (Next.js)",
        image=release.images.frontend,
        # A container of its own, with nothing of that user's in it: a user more would be on every host.
        user="venom",
        entrypoint=f"{paths.CURRENT}/ui-server",
        command=(),
        directory="/tmp",
        passes=(*environment, "VENOM_FINGERPRINT"),
        writable=(),
    )


def component(plan: HostPlan, release: ImageRelease) -> Component:
    """The UI from its image."""
    image, engine = release.images.frontend, release.engine
    job = containers.pull_job(image, engine, plan.arch, "UI image")
    return Component(
        name="ui",
        resources=tuple(resources(plan, release)),
        jobs=(job,),
        service=service(plan, release),
        unit=UNIT,
        ports=(Port(plan.ui.port, "ui"),),
        needs=(containers.need_of(image, {job.makes: ""}, _TYPICAL_BYTES),),
        memory=MEMORY_BYTES,
        concerns=CONCERNS,
    )
