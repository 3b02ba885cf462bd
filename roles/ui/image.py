"""The UI from its image: the same start script and port, in a container that can write nothing."""

from __future__ import annotations

from engine import containers, paths
from engine.component import Component, Port
from engine.contained import Contained
from engine.containers import Container
from engine.release import ImageRelease
from engine.services import Service
from roles.ui.deploy import CONCERNS, MEMORY_BYTES, UNIT, reaches_loopback_only
from schemas.model import HostPlan

# Of the image, packed.
_TYPICAL_BYTES = int(0.15e9)


def _contained(plan: HostPlan, release: ImageRelease) -> Contained:
    environment = {**plan.ui.run_env, "VENOM_IMAGE": release.ui_key}
    container = Container(
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
    loopback = reaches_loopback_only(plan.ui.run_env)
    return Contained(container, release.engine, environment, loopback=loopback)


def component(plan: HostPlan, release: ImageRelease) -> Component:
    """The UI from its image."""
    image, engine, contained = release.images.frontend, release.engine, _contained(plan, release)
    job = containers.pull_job(image, engine, plan.arch, "UI image")
    return Component(
        name="ui",
        resources=tuple(contained.resources),
        jobs=(job,),
        service=Service(
            unit=UNIT,
            title="UI",
            fingerprint=f"{contained.fingerprint}.{release.ui_key}",
            url=f"http://127.0.0.1:{plan.ui.port}/",
            ready_timeout=60,
            runner=containers.runner(engine),
        ),
        unit=UNIT,
        ports=(Port(plan.ui.port, "ui"),),
        needs=(containers.need_of(image, {job.makes: ""}, _TYPICAL_BYTES),),
        memory=MEMORY_BYTES,
        concerns=CONCERNS,
    )
