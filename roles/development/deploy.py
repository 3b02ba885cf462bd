"""Backend and UI from a developer's tree: the same units, started otherwise.

Interpreter, packages, Node and model are the release's. What differs is how the two units start, whose
they are and where their state lies; so ports, target, switch and going back are what they are anywhere.
What changes in the tree is none of the run's inputs: it takes effect at once, or at the next start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from engine import paths, proxy, services
from engine.component import Component, Need
from engine.env import settings_digest
from engine.observation import Observed
from engine.refusal import Finding
from engine.release import Release
from engine.resources import Absent, Directory, Enabled, EnvFile, File, Link, Switchable
from engine.services import Service
from engine.templates import render
from schemas.model import Development, HostPlan

BACKEND, UI = "venom-backend.service", "venom-ui.service"
ENV_FILE = f"{paths.DEVELOPMENT}/venom.env"
# Of whoever has worked there: it stays when the release serves again.
DATA = Directory(paths.DEVELOPMENT, mode="0700", keeps="a developer's data and settings")
START = f"{paths.ETC}/start-development"
START_TEXT = (Path(__file__).parent / "scripts" / "start.sh").read_text(encoding="utf-8")
# The first start installs the UI's packages, and `next dev` compiles a page when it is asked for it.
UI_READY_SECONDS = 300
# `next dev` takes 1.5 GB with a first page of the real Venom.
MEMORY_BYTES = int(1.6e9)


def backend_service(
    plan: HostPlan, work: Development, release: Release, settings: Mapping[str, str]
) -> Service:
    """The backend as `uvicorn --reload`."""
    unit = _fingerprint(_backend_unit(plan, work, release, settings, ""))
    return Service(
        unit=BACKEND,
        title="Backend",
        fingerprint=f"{unit}.{settings_digest(settings)}",
        url=f"http://127.0.0.1:{plan.backend.port}/healthz",
        ready_timeout=plan.backend.ready_timeout,
    )


def ui_service(plan: HostPlan, work: Development, release: Release) -> Service:
    """The UI as `next dev`."""
    return Service(
        unit=UI,
        title="UI",
        fingerprint=_fingerprint(_ui_unit(plan, work, release, "")),
        url=f"http://127.0.0.1:{plan.ui.port}/",
        ready_timeout=UI_READY_SECONDS,
    )


def backend_resources(
    plan: HostPlan, work: Development, release: Release, settings: Mapping[str, str]
) -> list[Switchable]:
    """What serving the backend from the tree has on the host, outside of the tree."""
    fingerprint = _fingerprint(_backend_unit(plan, work, release, settings, ""))
    return [
        Directory(paths.DEVELOPMENT, owner=work.user, mode="0700"),
        EnvFile(ENV_FILE, settings, owner=work.user),
        Link(f"{paths.DEVELOPMENT}/{paths.DOT_ENV}", ENV_FILE),
        Link(f"{paths.DEVELOPMENT}/config", f"{work.tree}/config"),
        File(START, START_TEXT, mode="0755"),
        File(f"{paths.UNITS}/{BACKEND}", _backend_unit(plan, work, release, settings, fingerprint)),
        Enabled(BACKEND),
    ]


def ui_resources(plan: HostPlan, work: Development, release: Release) -> list[Switchable]:
    """The same of the UI."""
    fingerprint = _fingerprint(_ui_unit(plan, work, release, ""))
    return [File(f"{paths.UNITS}/{UI}", _ui_unit(plan, work, release, fingerprint)), Enabled(UI)]


def component(plan: HostPlan, unfit: Callable[[Observed], Sequence[Finding]]) -> Component:
    """What a developer's tree is beside its two services; absent where the release serves.

    `unfit`: what stands against serving from the tree on the current host.
    """
    # Of whoever has worked there, whatever the inventory says now.
    if plan.development is None:
        return Component(name="development", resources=tuple(absent()), leftovers=(DATA,))
    serving = Need("", memory=MEMORY_BYTES, while_="compiling pages of a tree (next dev)")
    return Component(name="development", leftovers=(DATA,), needs=(serving,), unfit=unfit)


def absent() -> list[Switchable]:
    """What must not stay where the release serves: settings hold secrets, which nobody would renew here.

    The other data are the developer's, and stay.
    """
    return [Absent(START), Absent(ENV_FILE)]


def _fingerprint(unit: str) -> str:
    return services.fingerprint({"unit": unit, "start": START_TEXT})


def _backend_unit(
    plan: HostPlan, work: Development, release: Release, settings: Mapping[str, str], fingerprint: str
) -> str:
    ollama = [f"{paths.OLLAMAS}/current/bin"] if plan.ollama else []
    path = [f"{release.venv_path}/bin", *ollama, "/usr/local/bin", "/usr/bin", "/bin"]
    port = str(plan.backend.port)
    command = [
        *(START, port, f"{release.venv_path}/bin/python", "-m", "uvicorn", "venom_core.main:app"),
        *("--app-dir", work.tree, "--host", "127.0.0.1", "--port", port, "--no-server-header"),
        *("--reload", "--reload-dir", f"{work.tree}/venom_core"),
        # Else a page that is open, which keeps a stream open, holds up every reload.
        *("--timeout-graceful-shutdown", "5"),
    ]
    return render(
        __file__,
        "development.service.j2",
        description="Venom backend (FastAPI), development",
        tree=work.tree,
        user=work.user,
        directory=paths.DEVELOPMENT,
        state=paths.DEVELOPMENT,
        command=" ".join(command),
        compiles=False,
        fingerprint=fingerprint,
        proxy=proxy.way(plan).digest,
        environment={
            **plan.backend.process_env,
            # Names only: what the start script takes the digest of.
            "VENOM_SETTINGS": "|".join(sorted(settings)),
            "HOME": paths.DEVELOPMENT,
            "PATH": ":".join(path),
            # Relative to the working directory by default, but the prompts come with the source.
            "PROMPTS_DIR": f"{work.tree}/data/prompts",
        },
    )


def _ui_unit(plan: HostPlan, work: Development, release: Release, fingerprint: str) -> str:
    web, port = f"{work.tree}/web-next", str(plan.ui.port)
    command = [
        *(START, port, "npm", "run", "dev", "--", "--hostname", "127.0.0.1", "--port", port),
    ]
    return render(
        __file__,
        "development.service.j2",
        description="Venom UI (Next.js), development",
        tree=work.tree,
        user=work.user,
        directory=web,
        state=paths.DEVELOPMENT,
        command=" ".join(command),
        compiles=True,
        fingerprint=fingerprint,
        proxy=proxy.way(plan).digest,
        environment={
            **plan.ui.run_env,
            "PATH": f"{release.node_path}/bin:/usr/local/bin:/usr/bin:/bin",
            # Modules beside web-next find its packages by this, as in Venom's own start.
            "NODE_PATH": f"{web}/node_modules",
            "NODE_EXTRA_CA_CERTS": paths.CA_CERTIFICATES,
            "npm_config_cache": f"{paths.DEVELOPMENT}/npm",
            **({"npm_config_registry": plan.mirrors.npm} if plan.mirrors.npm else {}),
            **{f"npm_config_{name}": "false" for name in ("update_notifier", "fund", "audit")},
        },
    )
