"""The one list of components: everything that is on a host by its plan, each thing a role's own.

Who adds a service adds its folder below `roles/` and its line here; CONTRIBUTING.md lists the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from engine import packages, proxy
from engine.component import Component
from engine.observation import Observed
from engine.refusal import Finding
from engine.release import ImageRelease, Release
from engine.resources import Packages
from fleet.builds import Build
from roles.backend import deploy as backend
from roles.backend import image as backend_image
from roles.backend.lock import inputs
from roles.backup import deploy as backup
from roles.base import deploy as base
from roles.development import deploy as development
from roles.development import tree as developers_tree
from roles.door import deploy as door
from roles.door import firewall, nginx
from roles.door.secrets import Revealed
from roles.door.site import Inner
from roles.driver import deploy as driver
from roles.metrics import deploy as metrics
from roles.ollama import deploy as ollama
from roles.onnx import deploy as onnx
from roles.pull import deploy as pull
from roles.release import deploy as release_role
from roles.source import deploy as source
from roles.speech import deploy as speech
from roles.store import deploy as store
from roles.store import peer
from roles.store.wants import NOBODY, Fleet
from roles.trees import deploy as trees
from roles.ui import deploy as ui
from roles.ui import image as ui_image
from roles.vllm import deploy as vllm
from roles.weights import deploy as weights
from schemas.model import HostPlan
from schemas.plan.item import Item
from schemas.plan.show import release_name


@dataclass(frozen=True)
class Shares:
    """What a host has to do with the fleet's store."""

    fleet: Fleet = NOBODY
    wants: Callable[[], Sequence[Item]] = tuple  # what it needs from elsewhere


_ALONE = Shares()


def components(
    plan: HostPlan,
    build: Build,
    settings: Mapping[str, str],
    secrets: Revealed,
    shares: Shares = _ALONE,
    *,
    gpu: bool,
) -> tuple[Component, ...]:
    """All components of a host, in the order in which their services start.

    `settings`: keys of the backend's environment file, secrets among them; `secrets`: what the door's
    references have revealed; `gpu`: whether the host has a card that the model should lie on.
    """
    way = proxy.way(plan)
    fleet, closed = shares.fleet, plan.store is not None and plan.store.closed
    filled = not plan.serves_store and fleet.here and fleet.feeds
    later = closed and filled
    origin = packages.origin_of(way, plan, filled=filled)
    pulls = ollama.serve_command(plan, plan.ollama) if plan.ollama else []
    passing = peer.passing(plan, fleet, shares.wants) if plan.peer else None
    server = ollama.component(plan, passing, gpu=gpu, checked_by=driver.UNIT)
    made = (
        server,
        driver.component(server.service if gpu else None),
        weights.component(plan.model, plan.ollama, pulls, ollama.pulls_by(plan), plan.store, passing),
        source.component(build.release, build.archive),
        release_role.component(plan, build.release, build.launchers),
        trees.component(plan),
        *_venom(plan, build, settings),
        onnx.component(plan),
        speech.component(plan),
        vllm.component(plan, build.vllm, later=later),
        development.component(plan, lambda _observed: _unfit(plan, build)),
        backup.component(plan, later=later),
        pull.component(plan),
        door.component(plan.door, Inner.of(plan), secrets, partial(nginx.unfit, plan.door)),
    )
    ground = base.component(plan.engine, plan.ca_bundle, way, origin, later=later)
    found = (
        ground,
        # Before all others: what they fetch, they fetch from there.
        store.component(plan, fleet, shares.wants, partial(_coming, (ground, *made))),
        peer.component(plan, passing),
        *made,
    )
    behind = [it.number for one in found for it in one.ports if not it.exposed]
    besides = {it.port: it.allow_from for it in (plan.serves_store, plan.peer) if it}
    kept = (*found, firewall.component(plan.door, behind, besides))
    pullers = plan.serves_store.pullers if plan.serves_store else ()
    return (*kept, metrics.component(plan.metrics, kept, pullers))


def _coming(listed: Sequence[Component], observed: Observed) -> dict[str, tuple[str, ...]]:
    """What will come to a host → the items of the store that this brings."""
    coming = {need.what: need.brings for it in listed for need in it.needs if need.comes(observed)}
    declared = (it for one in listed for it in one.prerequisites if isinstance(it, Packages))
    missing = tuple(name for it in declared for name in it.missing(observed))
    return {**coming, **({store.DEBIAN: missing} if missing else {})}


def _venom(plan: HostPlan, build: Build, settings: Mapping[str, str]) -> tuple[Component, Component]:
    """Backend and UI: from images, from a developer's tree, or from the release on the host."""
    release, lock, known = build.release, build.lock, build.archive is not None
    if isinstance(release, ImageRelease):
        return backend_image.component(plan, release, settings), ui_image.component(plan, release)
    if plan.development:
        return _from_tree(plan, release, settings, build)
    return backend.component(plan, release, settings, lock), ui.component(plan, release, known=known)


def _from_tree(
    plan: HostPlan, release: Release, settings: Mapping[str, str], build: Build
) -> tuple[Component, Component]:
    work = plan.development
    assert work is not None
    return (
        backend.made(
            plan,
            release,
            build.lock,
            resources=[
                *backend.state(settings),
                *development.backend_resources(plan, work, release, settings),
            ],
            service=development.backend_service(plan, work, release, settings),
        ),
        ui.made(
            plan,
            release,
            known=build.archive is not None,
            resources=development.ui_resources(plan, work, release),
            service=development.ui_service(plan, work, release),
        ),
    )


def _unfit(plan: HostPlan, build: Build) -> list[Finding]:
    """What stands against serving from the tree on the current host; where it differs is only reported."""
    work = plan.development
    if work is None or build.archive is None:
        return []
    tree = developers_tree.look(work)
    findings = developers_tree.findings(work, tree)
    other = developers_tree.other_requirements(tree, inputs(plan, build.archive))
    if other and not findings:
        developers_tree.warn(work, other, release_name(plan))
    return findings
