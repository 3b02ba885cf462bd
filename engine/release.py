"""A release on a host: which parts it consists of, and where each lies, keyed by its inputs.

Source, virtual environment and built UI lie side by side in stores of their own; a release is a small
directory of links to them. So a change of one part rebuilds that part and no other, a switch is one
rename, and going back needs nothing but the link. Or it is two images, which hold the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine import containers, paths
from engine.observation import Observed
from engine.services import fingerprint
from schemas.hardware import Engine
from schemas.model import HostPlan, Image, VenomImages

# Raised when the way of making a part changes what comes out, so that hosts get it made anew.
SOURCE_RECIPE = "2"  # with `.env` as a link
VENV_RECIPE = "1"
UI_RECIPE = "1"


@dataclass(frozen=True)
class Release:
    """The keys of a release's parts. Equal inputs give equal keys on every host."""

    source: str
    venv: str
    ui: str
    node: str
    python: str  # of the interpreter; empty: the host's own

    @classmethod
    def of(cls, plan: HostPlan, source: str, web: str, lock: str) -> Release:
        """The release that `plan` asks for.

        From the digests of its source, of what the UI is built from (its own folder and `modules`, nothing
        of the backend: docs/facts.md#the-ui), and of its lock.
        """
        artifact = plan.python.artifact
        interpreter = f"{plan.python.version}-{artifact.sha256[:8] if artifact else 'host'}"
        node = f"{plan.node.version}-{plan.node.artifact.sha256[:8]}"
        return cls(
            source=_key(recipe=SOURCE_RECIPE, source=source),
            venv=_key(recipe=VENV_RECIPE, lock=lock, python=interpreter, arch=plan.arch, uv=plan.uv.version),
            ui=_key(
                recipe=UI_RECIPE,
                web=web,
                node=node,
                arch=plan.arch,
                build=dict(plan.ui.build_env),
                fonts=[font.integrity for font in plan.ui.fonts],
            ),
            node=node,
            python=interpreter if artifact else "",
        )

    @property
    def key(self) -> str:
        """The release's own name on the host."""
        return _key(source=self.source, venv=self.venv, ui=self.ui, node=self.node)

    @property
    def backend_key(self) -> str:
        """What the backend's process depends on; the UI's parts are not among it."""
        return _key(source=self.source, venv=self.venv)

    @property
    def ui_key(self) -> str:
        """What the UI's process depends on."""
        return _key(ui=self.ui, node=self.node)

    @property
    def source_path(self) -> str:
        """Venom's source."""
        return f"{paths.SOURCES}/{self.source}"

    @property
    def venv_path(self) -> str:
        """The backend's virtual environment."""
        return f"{paths.VENVS}/{self.venv}"

    @property
    def proof_path(self) -> str:
        """The stamp that says: this environment has imported this source's application."""
        return f"{self.venv_path}/proven-{self.source}"

    @property
    def ui_path(self) -> str:
        """The built UI."""
        return f"{paths.UIS}/{self.ui}"

    @property
    def node_path(self) -> str:
        """Node.js."""
        return f"{paths.NODES}/{self.node}"

    @property
    def python_path(self) -> str:
        """The interpreter that the virtual environment is made of."""
        if not self.python:
            return "/usr/bin/python3"
        return f"{paths.PYTHONS}/{self.python}/bin/python3"

    @property
    def store_paths(self) -> tuple[str, ...]:
        """Everything of it in the stores: what must stay while the release can still be asked for."""
        python = (f"{paths.PYTHONS}/{self.python}",) if self.python else ()
        return (self.path, self.source_path, self.venv_path, self.ui_path, self.node_path, *python)

    @property
    def path(self) -> str:
        """The release's directory."""
        return f"{paths.RELEASES}/{self.key}"


@dataclass(frozen=True)
class ImageRelease:
    """A release that is two images; what they hold, they alone know."""

    images: VenomImages
    engine: Engine

    @classmethod
    def of(cls, plan: HostPlan) -> ImageRelease | None:
        """The images that `plan` asks for; None where the host makes what serves."""
        return cls(plan.images, plan.engine) if plan.images and plan.engine else None

    @property
    def key(self) -> str:
        """What the receipt names."""
        return _key(backend=self.images.backend.sha256, frontend=self.images.frontend.sha256)

    @property
    def backend_key(self) -> str:
        """What the backend's process depends on."""
        return self.images.backend.sha256[:12]

    @property
    def ui_key(self) -> str:
        """What the UI's process depends on."""
        return self.images.frontend.sha256[:12]

    @property
    def store_paths(self) -> tuple[str, ...]:
        """What of the host must stay while the release can still be asked for."""
        return tuple(containers.marker(it, self.engine) for it in self._both)

    def missing(self, observed: Observed) -> list[Image]:
        """The images that the host does not have."""
        return [it for it in self._both if not observed.there(containers.marker(it, self.engine))]

    @property
    def _both(self) -> tuple[Image, Image]:
        return (self.images.backend, self.images.frontend)


def _key(**inputs: str | Mapping[str, str] | list[str]) -> str:
    return fingerprint(inputs)[:12]
