"""How backend and UI run: from the release on the host, from images, or from a developer's tree."""

from __future__ import annotations

from collections.abc import Mapping

from engine import containers, drop_in
from engine.archive import Archive
from engine.refusal import Finding
from engine.release import ImageRelease, Release
from engine.resources import Switchable
from engine.services import Service
from roles.backend import deploy as backend
from roles.backend import image as backend_image
from roles.backend.lock import inputs
from roles.development import deploy as development
from roles.development import tree as trees
from roles.ui import deploy as ui
from roles.ui import image as ui_image
from schemas.model import HostPlan


def name(plan: HostPlan) -> str:
    """What serves, for the operator."""
    if plan.development:
        return f"Venom from {plan.development.tree} (development)"
    return _release(plan)


def services(
    plan: HostPlan, release: Release | ImageRelease, settings: Mapping[str, str]
) -> tuple[Service, Service]:
    """Backend and UI as running services."""
    if isinstance(release, ImageRelease):
        return backend_image.service(plan, release, settings), ui_image.service(plan, release)
    if work := plan.development:
        return (
            development.backend_service(plan, work, release, settings),
            development.ui_service(plan, work, release),
        )
    return backend.service(plan, release, settings), ui.service(plan, release)


def resources(
    plan: HostPlan, release: Release | ImageRelease, settings: Mapping[str, str]
) -> list[Switchable]:
    """What they have on the host besides the release and its state."""
    if isinstance(release, ImageRelease):
        return [
            *backend_image.resources(plan, release, settings),
            *ui_image.resources(plan, release),
            *development.absent(),
        ]
    without = [it for unit in (backend.UNIT, ui.UNIT) for it in _no_container(unit)]
    if work := plan.development:
        return [*development.resources(plan, work, release, settings), *without]
    return [*backend.resources(plan, settings), *ui.resources(plan), *development.absent(), *without]


def _no_container(unit: str) -> list[Switchable]:
    return [*containers.absent(unit), *drop_in.absent(unit)]


def unfit(plan: HostPlan, archive: Archive | None) -> list[Finding]:
    """What stands against serving from the tree on the current host; where it differs is only told."""
    work = plan.development
    if work is None or archive is None:
        return []
    tree = trees.look(work)
    findings = trees.findings(work, tree)
    other = trees.other_requirements(tree, inputs(plan, archive))
    if other and not findings:
        trees.warn(work, other, _release(plan))
    return findings


def _release(plan: HostPlan) -> str:
    source = plan.source
    if plan.images:
        both = (plan.images.backend, plan.images.frontend)
        return f"Venom {source.release} from images ({', '.join(it.sha256[:12] for it in both)})"
    if source.kind == "tree":
        return f"Venom from {source.location}"
    return f"Venom {source.release} ({source.commit[:12]})"
