"""The release: its parts tied together by links, and the one link that names the release that serves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pyinfra.api.operation import operation
from pyinfra.context import host

from engine import paths, remote
from engine.component import Component
from engine.observation import Observed
from engine.operations import Commands, log_line
from engine.release import ImageRelease, Release
from engine.resources import Absent, Link, Switchable
from schemas.model import HostPlan

# Of the release that serves, whatever the plan says meanwhile; of images there is none on the host.
VERSIONS = {
    "Python": (f"{paths.CURRENT}/venv/bin/python", "--version"),
    "Node": (f"{paths.CURRENT}/node/bin/node", "--version"),
}
SIZES = {
    "source": f"{paths.CURRENT}/source",
    "environment": f"{paths.CURRENT}/venv",
    "ui": f"{paths.CURRENT}/ui",
    "node": f"{paths.CURRENT}/node",
    "python": f"{paths.CURRENT}/venv/bin/python",
}


def resources(release: Release | ImageRelease) -> list[Switchable]:
    """The link that names the release that serves; an image has its own."""
    if isinstance(release, ImageRelease):
        return [Absent(paths.CURRENT)]
    return [Link(paths.CURRENT, f"releases/{release.key}")]


@operation()
def release_tied(
    release: Release, launchers: Mapping[str, str], description: Mapping[str, Any], observed: Observed
) -> Commands:
    """
    Make the release's directory: links to its parts, and the scripts that start them.

    + release: its parts
    + launchers: file name → text of each script
    + description: what the release is made from
    + observed: what the host has
    """
    if observed.there(release.path):
        host.noop(f"{release.path} is there")
        return
    request = {
        "path": release.path,
        "links": {
            "source": release.source_path,
            "venv": release.venv_path,
            "ui": release.ui_path,
            "node": release.node_path,
        },
        "scripts": dict(launchers),
        "description": dict(description),
    }
    yield log_line(f"release {release.key}")
    yield remote.python("tie_release.py", json.dumps(request))


@dataclass(frozen=True)
class _Tying:
    release: Release
    launchers: Mapping[str, str]
    description: Mapping[str, Any]
    observed: Observed

    def begin(self) -> None:
        """Tie together what the others made."""
        release_tied(
            name="Release | link its parts",
            release=self.release,
            launchers=self.launchers,
            description=self.description,
            observed=self.observed,
        )

    def end(self) -> None:
        """It is tied."""

    def share(self) -> None:
        """Each host ties its own."""


def component(plan: HostPlan, release: Release | ImageRelease, launchers: Mapping[str, str]) -> Component:
    """The release that serves. `launchers`: file name → text of each script that starts a part of it."""
    whole = Component(
        name="release",
        resources=tuple(resources(release)),
        store_paths=release.store_paths,
        versions=VERSIONS,
        sizes=SIZES,
    )
    if isinstance(release, ImageRelease):
        return whole
    description = _description(plan, release)
    return replace(
        whole,
        after=("source", "backend", "ui"),
        work=lambda _host, observed: _Tying(release, launchers, description, observed),
    )


def _description(plan: HostPlan, release: Release) -> dict[str, Any]:
    return {
        "key": release.key,
        "venom": plan.source.release,
        "commit": plan.source.commit,
        "requirements": [plan.requirements.tier, *plan.requirements.extras],
        "python": plan.python.version,
        "node": plan.node.version,
    }
