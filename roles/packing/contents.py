"""What goes into the image of a variant: the parts of a host without images, under the same paths."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from engine import paths
from engine.release import Release
from engine.services import fingerprint
from schemas.data.artifacts import Variant
from schemas.model import HostPlan

# Raised when the way of packing changes what comes out, so that images are packed anew.
RECIPE = "1"
IMAGES = f"{paths.BUILD}/images"
# Of Node.js: its npm, its headers and its manual.
NOT_SERVING = ("bin/npm", "bin/npx", "bin/corepack", "lib", "include", "share")
# What the image runs as where nobody says otherwise: a number that Debian gives to nobody.
UID = 10001


@dataclass(frozen=True)
class Layer:
    """One layer over the base: what changes together comes in one pull."""

    name: str
    paths: tuple[str, ...]
    without: tuple[str, ...] = ()  # of these paths, what only a build needs


@dataclass(frozen=True)
class Contents:
    """An image before it is packed. Paths are those of the build host, and of the image."""

    variant: Variant
    plan: HostPlan
    release: Release
    lock: str  # the text of the backend's: which Python packages are in it
    layers: tuple[Layer, ...]  # what seldom changes first; with the last comes the release itself
    measured: str  # the path that the budget is about
    folder: str  # the key that the release's folder is named after
    links: Mapping[str, str]  # in that folder: name → the part
    launcher: tuple[str, str]  # file name and text of the script that starts it
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    description: Mapping[str, Any]  # of the release, as it stands in its folder

    @property
    def key(self) -> str:
        """Names everything that is packed, but Debian's packages."""
        return fingerprint(
            {
                "recipe": RECIPE,
                "layers": [(it.paths, it.without) for it in self.layers],
                "folder": self.folder,
                "links": self.links,
                "launcher": self.launcher,
                "environment": self.environment,
                "labels": self.labels,
            }
        )[:12]

    @property
    def path(self) -> str:
        """The packed image on the build host: an OCI layout."""
        return f"{IMAGES}/{self.variant.name}-{self.key}"

    @property
    def sbom(self) -> str:
        """Its bill of materials on the build host."""
        return f"{self.path}.cdx.json"


def backend_contents(
    variant: Variant, plan: HostPlan, release: Release, lock: str, digest: str, launcher: str
) -> Contents:
    """The backend: interpreter, packages, source and what starts it. No UI.

    `lock`: the text of its packages' lock, and `digest` the lock's own; `launcher`: what starts it.
    """
    return Contents(
        variant=variant,
        plan=plan,
        release=release,
        lock=lock,
        layers=(
            Layer("interpreter", (str(PurePosixPath(release.python_path).parents[1]),)),
            Layer("packages", (release.venv_path,)),
            Layer("source", (release.source_path,)),
        ),
        measured=release.venv_path,
        folder=release.backend_key,
        links={"source": release.source_path, "venv": release.venv_path},
        launcher=("backend", launcher),
        environment={
            "HOME": paths.STATE,
            "PATH": f"{paths.CURRENT}/venv/bin:/usr/bin:/bin",
            "ENV_FILE": paths.ENV_FILE,
            "PROMPTS_DIR": f"{paths.CURRENT}/source/data/prompts",
            "VENOM_PORT": str(plan.backend.port),
        },
        labels={
            **_labels(variant, plan, release.backend_key),
            "io.venom.backend-key": release.backend_key,
            "io.venom.python": plan.python.version,
            "io.venom.lock": digest,
        },
        description=_description(plan, release.backend_key)
        | {"python": plan.python.version, "requirements": list(variant.tiers)},
    )


def frontend_contents(variant: Variant, plan: HostPlan, release: Release, launcher: str) -> Contents:
    """The UI: Node.js, the build and what starts it. No Python. `launcher`: the script that starts it."""
    return Contents(
        variant=variant,
        plan=plan,
        release=release,
        lock="",
        layers=(
            Layer("node", (release.node_path,), tuple(f"{release.node_path}/{it}" for it in NOT_SERVING)),
            Layer("ui", (release.ui_path,)),
        ),
        measured=release.ui_path,
        folder=release.ui_key,
        links={"ui": release.ui_path, "node": release.node_path},
        launcher=("ui-server", launcher),
        environment={
            "HOME": paths.UI_CACHE,
            "PATH": f"{release.node_path}/bin:/usr/bin:/bin",
            **plan.ui.run_env,
        },
        labels={
            **_labels(variant, plan, release.ui_key),
            "io.venom.ui-key": release.ui_key,
            "io.venom.node": plan.node.version,
            # Baked in: another port of the backend takes another build.
            "io.venom.ui-build": json.dumps(dict(plan.ui.build_env), sort_keys=True),
        },
        description=_description(plan, release.ui_key) | {"node": plan.node.version},
    )


def _labels(variant: Variant, plan: HostPlan, key: str) -> dict[str, str]:
    source = plan.source
    return {
        "org.opencontainers.image.title": variant.name,
        "org.opencontainers.image.description": variant.meaning,
        "org.opencontainers.image.version": source.release,
        **({"org.opencontainers.image.revision": source.commit} if source.commit else {}),
        **({"org.opencontainers.image.source": source.location} if source.kind == "git" else {}),
        "io.venom.variant": variant.name,
        "io.venom.release-key": key,
    }


def _description(plan: HostPlan, key: str) -> dict[str, Any]:
    return {"key": key, "venom": plan.source.release, "commit": plan.source.commit}
