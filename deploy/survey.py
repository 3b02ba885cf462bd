"""The survey: everything that a run must know of a host before it changes anything there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from roles.activation.deploy import Switch
from roles.backend import deploy as backend
from roles.backend.lock import Lock, lock_for
from roles.backend.uv import wheel
from roles.base import deploy as base
from roles.common import paths
from roles.common.archive import Archive
from roles.common.generation import Generation
from roles.common.jobs import Job
from roles.common.look import Seen, look
from roles.common.refusal import Finding, RefusedError
from roles.common.release import Release
from roles.common.resources import Enabled, EnvFile, Packages, Resource, User
from roles.common.secrets import reveal
from roles.common.services import Service
from roles.ollama import deploy as ollama
from roles.preflight.checks import Coming
from roles.preflight.deploy import check, probe
from roles.release import deploy as release_role
from roles.source.archive import pack
from roles.ui import deploy as ui
from roles.ui.shared import UiWork, work_for
from roles.weights import deploy as weights
from schemas.inventory import DeclaredHost
from schemas.model import HostPlan, Model
from schemas.plan import plan_host
from schemas.problem import PlanError
from schemas.show import to_dict

# What serves, and two that an operator can go back to.
KEPT_GENERATIONS = 3


@dataclass(frozen=True)
class LocalModel:
    """What a profile with a local model has beyond the others."""

    install: Job
    service: Service
    model: Model
    port: int
    pull: Job


@dataclass(frozen=True)
class Survey:
    """One host: what it is to be, from which parts, and what was seen of it."""

    plan: HostPlan
    archive: Archive
    lock: Lock
    wheel: Path | None  # uv, where an environment has to be made and the host has no uv yet
    release: Release
    settings: Mapping[str, str]  # keys of the backend's environment file, secrets among them
    backend_job: Job
    ui_work: UiWork
    backend: Service
    ui: Service
    local: LocalModel | None
    gpu: bool
    seen: Seen

    @property
    def launchers(self) -> dict[str, str]:
        """The scripts of the release that its units start."""
        return {"backend": backend.launcher(self.release), "ui-server": ui.launcher(self.release)}

    @property
    def generation(self) -> Generation:
        """All that is switched together at the end of the run."""
        plan, release = self.plan, self.release
        return Generation(
            name=f"{_venom(plan)}, {plan.profile}",
            resources=(
                *ollama.resources(plan),
                *release_role.resources(release),
                *backend.resources(plan, self.settings),
                *ui.resources(plan),
            ),
            # Weights first, backend second: Venom rewrites its settings when its model is not there.
            services=(*([self.local.service] if self.local else []), self.backend, self.ui),
            stopped=() if self.local else (ollama.UNIT,),
            parts=(*release.parts, *([self.local.install.makes] if self.local else [])),
            record={"applied": {"plan": to_dict(plan), "release": release.key}},
        )

    @property
    def ollama_part(self) -> Generation:
        """What must serve before the weights can be pulled."""
        return Generation(
            name="Ollama",
            resources=tuple(ollama.resources(self.plan)),
            services=(self.local.service,) if self.local else (),
            stopped=(),
            parts=(),
            record={},
        )

    @property
    def proven(self) -> bool:
        """Whether the host's receipt says that exactly this was switched to, and proven to serve."""
        return bool(self.seen.receipt.get("generation") == self.generation.key)

    @property
    def current(self) -> str:
        """The key of the generation that the host said was its current one."""
        link = self.seen.paths.get(f"{paths.GENERATIONS}/current", {})
        return link.get("target", "").removesuffix(".json")

    @property
    def in_sync(self) -> bool:
        """Whether nothing has to be changed on the host."""
        ground = [*base.resources(self.plan), *ollama.ground(self.plan)]
        jobs = [self.backend_job, self.ui_work.build_job]
        jobs += [self.local.install, self.local.pull] if self.local else []
        return (
            self.proven
            and not self.generation.differs(self.seen)
            and not any(it.differs(self.seen) for it in ground)
            and all(job.done(self.seen) for job in jobs)
            and self.seen.there(self.release.path)
        )

    @property
    def switch(self) -> Switch:
        """How the run ends: what the operator is told, and how many generations are kept."""
        plan, ssh = self.plan, self.plan.ssh
        model = f", {plan.model.name}" if plan.model else ""
        ports = " ".join(f"-L {port}:127.0.0.1:{port}" for port in (plan.ui.port, plan.backend.port))
        serves = (
            f"serves {_venom(plan)}, profile {plan.profile}{model}\n"
            f"open http://127.0.0.1:{plan.ui.port} while this runs: "
            f"ssh -N {ports} -p {ssh.port} {ssh.user}@{ssh.address}"
        )
        return Switch(serves=serves, keep=KEPT_GENERATIONS)


def _venom(plan: HostPlan) -> str:
    source = plan.source
    if source.kind == "tree":
        return f"Venom from {source.location}"
    return f"Venom {source.release} ({source.commit[:12]})"


def survey(declared: DeclaredHost) -> Survey:
    """Plan the current host, look at it once, and refuse what cannot work.

    Raises RefusedError with everything that is wrong, before the first change.
    """
    facts = probe()
    try:
        plan = plan_host(declared, facts.hardware)
    except PlanError as error:
        raise RefusedError(
            [Finding(f"{it.path}: {it.allowed}", it.found, it.hint) for it in error.problems]
        ) from error
    archive = pack(plan.source)
    lock = lock_for(plan, archive)
    release = Release.of(plan, archive.key, archive.digest_of(*ui.SOURCES), lock.sha256)
    settings = {**plan.backend.env_file, **reveal(plan.backend.secrets)}

    backend_job = backend.environment_job(plan, release, lock)
    ui_job = ui.build_job(plan, release)
    local = _local(plan)
    uv = backend.uv_path(plan)
    seen = _look(
        [
            *base.resources(plan),
            *backend.resources(plan, settings),
            *ui.resources(plan),
            *ollama.ground(plan),
            *ollama.resources(plan),
            *release_role.resources(release),
        ],
        [backend_job, ui_job, *([local.install, local.pull] if local else [])],
        release,
        uv,
    )
    check(plan, facts, _coming(plan, release, local, seen), seen)
    return Survey(
        plan=plan,
        archive=archive,
        lock=lock,
        wheel=None if seen.there(release.venv_path) or seen.there(uv) else wheel(plan),
        release=release,
        settings=settings,
        backend_job=backend_job,
        ui_work=work_for(declared.name, ui_job, ui.node_job(plan, release), seen),
        backend=backend.service(plan, release, settings),
        ui=ui.service(plan, release),
        local=local,
        gpu=bool(facts.hardware.gpus),
        seen=seen,
    )


def _local(plan: HostPlan) -> LocalModel | None:
    if not (plan.ollama and plan.tier and plan.model):
        return None
    return LocalModel(
        install=ollama.install_job(plan.ollama),
        service=ollama.service(plan.ollama, plan.tier),
        model=plan.model,
        port=plan.ollama.port,
        pull=weights.pull_job(plan.model, plan.ollama.port),
    )


def _coming(plan: HostPlan, release: Release, local: LocalModel | None, seen: Seen) -> Coming:
    return Coming.of(
        plan,
        release,
        seen,
        weights_there=local is None or local.pull.done(seen),
        ollama=local.install.makes if local else "",
    )


def _look(declared: list[Resource], jobs: list[Job], release: Release, uv: str) -> Seen:
    return look(
        paths=[
            *(path for it in declared if (path := getattr(it, "path", ""))),
            *(path for job in jobs for path in (job.makes, *job.needs)),
            *(release.path, release.source_path, release.venv_path, release.ui_path),
            *(release.node_path, uv, paths.OPT, paths.CA_CERTIFICATES, f"{paths.GENERATIONS}/current"),
        ],
        env_files=[it.path for it in declared if isinstance(it, EnvFile)],
        units=[
            *(it.unit for it in declared if isinstance(it, Enabled)),
            *(backend.UNIT, ui.UNIT, ollama.UNIT),
        ],
        users=[it.name for it in declared if isinstance(it, User)],
        packages=[name for it in declared if isinstance(it, Packages) for name in it.names],
        receipt=paths.RECEIPT,
    )
