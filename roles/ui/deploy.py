"""The Next.js UI: its build as a job of its own, its unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pyinfra.api.deploy import deploy

from engine import contained, paths, services
from engine.component import Component, Need, Port
from engine.fetch import archive_path, fetch_line, need_of, sources_of
from engine.jobs import Job
from engine.observation import Observed
from engine.release import Release
from engine.resources import Enabled, File, Switchable
from engine.services import Service
from engine.templates import render
from roles.ui import shared
from roles.ui.shared import UiWork
from schemas.model import HostPlan
from schemas.plan.item import TARBALL

UNIT = "venom-ui.service"
# Resident: 95 MB, more under load (docs/facts.md#the-ui).
MEMORY_BYTES = int(0.15e9)
# Measured with Venom 1.9.0 while it is built: node_modules 881 MB, npm's cache and the build beside it.
_BUILD_BYTES = {paths.OPT: int(0.4e9), paths.BUILD: int(2.0e9)}
_BUILD_MEMORY = int(2.0e9)
_NODE_BYTES = int(0.06e9)
# Checks of the acceptance that its journal explains.
CONCERNS = ("ui.",)
# What of Venom's source a build reads.
SOURCES = ("web-next", "modules")
FONT_SERVER = Path(__file__).parent / "files" / "mock-google-fonts.cjs"
FIRST_ERROR = Path(__file__).parent / "scripts" / "first_error.py"


def build_job(plan: HostPlan, release: Release) -> Job:
    """Makes Node and the standalone build, static files and fonts included."""
    script = render(
        __file__,
        "build.sh.j2",
        node_lines=_node_lines(plan, release),
        ui=release.ui_path,
        source=release.source_path,
        registry=plan.mirrors.npm,
        first=plan.store.place("npm/") if plan.store else "",
        closed=bool(plan.store and plan.store.closed),
        fonts=plan.ui.fonts,
        font_server=FONT_SERVER.read_text(encoding="utf-8"),
        build_env=dict(plan.ui.build_env),
        commit=f"commit {plan.source.commit}" if plan.source.commit else plan.source.location,
        first_error=FIRST_ERROR.read_text(encoding="utf-8"),
    )
    return Job(
        name="ui",
        title="UI build",
        key=release.ui_key,
        makes=release.ui_path,
        script=script,
        needs=(release.node_path,),
    )


def node_job(plan: HostPlan, release: Release) -> Job:
    """Makes Node alone, on a host that gets a UI which another one builds."""
    script = f"{_node_lines(plan, release)}step 'done'\n"
    return Job(name="node", title="Node", key=release.node, makes=release.node_path, script=script)


def _node_lines(plan: HostPlan, release: Release) -> str:
    return render(
        __file__,
        "node.sh.j2",
        node=release.node_path,
        node_version=plan.node.version,
        archive=archive_path(plan.node.artifact),
        fetch=fetch_line(plan.node.artifact),
    )


def service(plan: HostPlan, release: Release) -> Service:
    """The UI as a running service, and the fingerprint of all that it depends on."""
    unit = services.fingerprint({"unit": _unit_text(plan, "")})
    return Service(
        unit=UNIT,
        title="UI",
        fingerprint=f"{unit}.{release.ui_key}",
        url=f"http://127.0.0.1:{plan.ui.port}/",
        ready_timeout=60,
    )


def resources(plan: HostPlan) -> list[Switchable]:
    """What the UI has on the host besides its release."""
    unit = services.fingerprint({"unit": _unit_text(plan, "")})
    return [File(f"{paths.UNITS}/{UNIT}", _unit_text(plan, unit)), Enabled(UNIT)]


def launcher(release: Release) -> str:
    """The script that the unit starts: it names the release's parts."""
    return render(
        __file__,
        "launch.sh.j2",
        key=release.ui_key,
        ui=release.ui_path,
        node=release.node_path,
    )


def _unit_text(plan: HostPlan, fingerprint: str) -> str:
    return render(
        __file__,
        "venom-ui.service.j2",
        current=paths.CURRENT,
        state=paths.UI_CACHE,
        fingerprint=fingerprint,
        loopback=reaches_loopback_only(plan.ui.run_env),
        # A dynamic user has none of its own.
        environment={"HOME": paths.UI_CACHE, **plan.ui.run_env},
    )


def reaches_loopback_only(environment: Mapping[str, str]) -> bool:
    """Whether every address that the UI's server is given lies on this host."""
    urls = [urlsplit(value) for value in environment.values() if "://" in value]
    return all(it.hostname in {"localhost", "127.0.0.1", "::1"} for it in urls)


@deploy("UI build")
def build_started(work: UiWork, observed: Observed) -> None:
    """Start what brings the UI to this host; `built` waits for it before the release is made."""
    shared.ui_work_started(name="start", work=work, observed=observed)


@deploy("UI build")
def build_finished(work: UiWork, observed: Observed) -> None:
    """Wait for the build, and hand it from the host that made it to those that wait for it."""
    shared.ui_work_finished(name="finish", work=work, observed=observed)
    shared.ui_fetched(name="share", work=work, observed=observed)
    shared.ui_received(name="receive", work=work, observed=observed)


@dataclass(frozen=True)
class _Build:
    """What a run does for the UI: build it, or get one that another host built."""

    work: UiWork
    observed: Observed

    def begin(self) -> None:
        """Start it."""
        build_started(work=self.work, observed=self.observed)

    def end(self) -> None:
        """Wait for it, and hand it from the host that made it to those that wait for it."""
        build_finished(work=self.work, observed=self.observed)

    def share(self) -> None:
        """Let other hosts of this run have what this one has already."""
        shared.ui_fetched(name="As declared", work=self.work, observed=self.observed)


def component(plan: HostPlan, release: Release, *, known: bool) -> Component:
    """The UI from the release on the host. `known`: whether its source is, so that it can be built."""
    return made(plan, release, known=known, resources=resources(plan), service=service(plan, release))


def made(
    plan: HostPlan,
    release: Release,
    *,
    known: bool,
    resources: Sequence[Switchable],
    service: Service,
    memory: int = MEMORY_BYTES,
) -> Component:
    """The same however it is started: its build, with the unit that these resources are."""
    job, node = build_job(plan, release), node_job(plan, release)

    def work(host: str, observed: Observed) -> _Build:
        return _Build(shared.work_for(host, job, node, observed), observed)

    return Component(
        name="ui",
        resources=(*resources, *contained.absent(UNIT)),
        jobs=(job,) if known else (),
        work=work if known else None,
        service=service,
        unit=UNIT,
        ports=(Port(plan.ui.port, "ui"),),
        needs=tuple(_needs(plan, release)),
        memory=memory,
        concerns=CONCERNS,
    )


def _needs(plan: HostPlan, release: Release) -> Iterator[Need]:
    there = {release.ui_path: ""}
    yield need_of(plan.node.artifact, {**there, release.node_path: ""}, paths.OPT, _NODE_BYTES)
    yield Need(
        "npm packages (mirrors.npm)",
        there,
        _BUILD_BYTES,
        _BUILD_MEMORY,
        sources_of(plan.store, "npm/", plan.mirrors.npm),
        while_="building the UI",
        brings=(TARBALL,),
    )
