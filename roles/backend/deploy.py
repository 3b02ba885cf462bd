"""The FastAPI backend: its environment as a job of its own, its settings by key, its unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import audit
from engine import contained, paths, proxy, services
from engine.component import Component, Need, Port, Work
from engine.env import settings_digest
from engine.environment import Environment, EnvironmentWork, Lock, uv_path
from engine.fetch import need_of, sources_of
from engine.jobs import Job
from engine.observation import Observed
from engine.release import Release
from engine.resources import Enabled, EnvFile, File, Link, Switchable
from engine.services import Data, Service
from engine.templates import render
from roles.backend import room
from schemas.model import HostPlan
from schemas.plan.item import PACKAGE

UNIT = "venom-backend.service"
# Resident: up to 314 MB, more while it answers (docs/facts.md#the-backend).
MEMORY_BYTES = int(0.45e9)
# Bytes on the disk while it is made and afterwards, measured with Venom 1.9.0: environment and downloads.
_VENV_BYTES = {paths.OPT: int(0.9e9), paths.BUILD: int(0.4e9)}
# What ONNX adds to it, and speech.
_ONNX_BYTES = {paths.OPT: int(0.31e9), paths.BUILD: int(0.06e9)}
_SPEECH_BYTES = {paths.OPT: int(0.23e9), paths.BUILD: int(0.1e9)}
_PYTHON_BYTES = int(0.03e9)
# What computes models in its process → the module by which it does.
_ENGINES = {"onnx": "onnxruntime_genai", "stt": "faster_whisper", "tts": "piper"}
# Checks of the acceptance that its journal explains.
CONCERNS = ("api.", "ui.chat", "runtime.", "cloud.")
IMPORTS = Path(audit.__file__).parent / "scripts" / "imports.py"
BUILD_CONSTRAINTS = Path(__file__).parent / "files" / "build-constraints.txt"


def environment_of_release(plan: HostPlan, release: Release, lock: Lock) -> Environment:
    """The environment that the release's packages lie in."""
    return Environment(
        plan,
        release.venv_path,
        release.python_path,
        plan.python.artifact,
        lock,
        BUILD_CONSTRAINTS.read_text(encoding="utf-8"),
    )


def environment_job(plan: HostPlan, release: Release, lock: Lock) -> Job:
    """Makes interpreter and virtual environment, and proves them by importing the application."""
    script = render(
        __file__,
        "environment.sh.j2",
        **environment_of_release(plan, release, lock).values,
        source=release.source_path,
        process_env=dict(plan.backend.process_env),
        imports=IMPORTS.read_text(encoding="utf-8"),
        refused=lock.refused,
        engines=[module for engine, module in _ENGINES.items() if engine in plan.trees],
    )
    return Job(
        name="backend",
        title="Backend packages",
        key=release.backend_key,
        makes=release.proof_path,
        needs=(release.venv_path, release.python_path),
        script=script,
    )


def service(plan: HostPlan, release: Release, settings: Mapping[str, str]) -> Service:
    """The backend as a running service, and the fingerprint of all that it depends on."""
    unit = services.fingerprint({"unit": _unit_text(plan, settings, "")})
    return Service(
        unit=UNIT,
        title="Backend",
        fingerprint=f"{unit}.{release.backend_key}.{settings_digest(settings)}",
        url=f"http://127.0.0.1:{plan.backend.port}/healthz",
        ready_timeout=plan.backend.ready_timeout,
        data=Data(paths.STATE, release.backend_key),
    )


def state(settings: Mapping[str, str]) -> list[Switchable]:
    """What lies in the state directory, which stays while a developer's tree serves instead.

    `settings` are the managed keys of the environment file, revealed secrets among them; what others
    write into that file is left alone.
    """
    return [
        EnvFile(paths.ENV_FILE, settings, owner="venom"),
        Link(f"{paths.STATE}/{paths.DOT_ENV}", paths.ENV_FILE),
        Link(f"{paths.STATE}/config", f"{paths.CURRENT}/source/config"),
    ]


def resources(plan: HostPlan, settings: Mapping[str, str]) -> list[Switchable]:
    """The backend's unit. `settings`: whose names it gives the launcher."""
    unit = services.fingerprint({"unit": _unit_text(plan, settings, "")})
    return [
        File(f"{paths.UNITS}/{UNIT}", _unit_text(plan, settings, unit)),
        Enabled(UNIT),
    ]


def launcher(release: Release) -> str:
    """The script that the unit starts: it names the release's parts, so a switch needs no other unit.

    It is read at start; the running process keeps its own parts, whatever `current` points to later.
    """
    return render(
        __file__,
        "launch.sh.j2",
        key=release.backend_key,
        venv=release.venv_path,
        source=release.source_path,
    )


def _unit_text(plan: HostPlan, settings: Mapping[str, str], fingerprint: str) -> str:
    return render(
        __file__,
        "venom-backend.service.j2",
        current=paths.CURRENT,
        state=paths.STATE,
        fingerprint=fingerprint,
        computes=plan.profile == "full",
        proxy=proxy.way(plan).digest,
        environment=environment_of(plan, settings, [f"{paths.CURRENT}/venv/bin"]),
    )


def environment_of(plan: HostPlan, settings: Mapping[str, str], programs: Sequence[str]) -> dict[str, str]:
    """What the launcher is started with, in whatever unit. `programs`: folders before all others."""
    ollama = [f"{paths.OLLAMAS}/current/bin"] if plan.ollama else []
    # By the link of that name Venom knows that there is a vLLM.
    vllm = [paths.TOOLS] if plan.vllm else []
    return {
        **plan.backend.process_env,
        "VENOM_PORT": str(plan.backend.port),
        # Names only: what the launcher takes the digest of.
        "VENOM_SETTINGS": "|".join(sorted(settings)),
        "HOME": paths.STATE,
        "PATH": ":".join([*programs, *ollama, *vllm, "/usr/local/bin", "/usr/bin", "/bin"]),
        # Relative to the working directory by default, but the prompts come with the source.
        "PROMPTS_DIR": f"{paths.CURRENT}/source/data/prompts",
    }


def environment_work(
    plan: HostPlan, release: Release, lock: Lock, job: Job, wheel: Path | None, observed: Observed
) -> EnvironmentWork:
    """What a run does for the environment. `wheel`: uv, where the host has none and needs it."""
    environment = environment_of_release(plan, release, lock)
    return EnvironmentWork("Backend packages", (job,), observed, environment, wheel)


def component(plan: HostPlan, release: Release, settings: Mapping[str, str], lock: Lock | None) -> Component:
    """The backend from the release on the host. `lock`: of its packages; None: nothing is made of it now."""
    return made(
        plan,
        release,
        lock,
        resources=[*state(settings), *resources(plan, settings)],
        service=service(plan, release, settings),
    )


def made(
    plan: HostPlan, release: Release, lock: Lock | None, resources: Sequence[Switchable], service: Service
) -> Component:
    """The same however it is started: its environment, with the unit that these resources are."""
    job = environment_job(plan, release, lock) if lock else None

    def work(_host: str, observed: Observed) -> Work:
        assert lock
        assert job
        wheel = environment_of_release(plan, release, lock).wheel(observed)
        return environment_work(plan, release, lock, job, wheel, observed)

    return Component(
        name="backend",
        resources=(*resources, *contained.absent(UNIT)),
        jobs=(job,) if job else (),
        work=work if job else None,
        service=service,
        unit=UNIT,
        ports=(Port(plan.backend.port, "backend"),),
        looked_at=(release.venv_path, uv_path(plan)),
        needs=tuple(_needs(plan, release)),
        memory=MEMORY_BYTES,
        unfit=partial(room.unfit, UNIT, release.backend_key),
        concerns=CONCERNS,
    )


def _needs(plan: HostPlan, release: Release) -> Iterator[Need]:
    there = {release.venv_path: ""}
    if plan.python.artifact:
        yield need_of(plan.python.artifact, there, paths.OPT, _PYTHON_BYTES)
    sources = sources_of(plan.store, "pypi/", plan.mirrors.pypi)
    yield Need("Python packages (mirrors.pypi)", there, _VENV_BYTES, sources=sources, brings=(PACKAGE,))
    if plan.onnx or plan.speech:
        yield Need("packages of ONNX", there, _ONNX_BYTES)
    if plan.speech:
        yield Need("packages of speech", there, _SPEECH_BYTES)
