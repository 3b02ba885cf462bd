"""vLLM: its environment as a job of its own, its unit, and who may start and stop it."""

from __future__ import annotations

from dataclasses import replace

from engine import packages, paths, proxy
from engine.component import Component, Driver, Need, Port, Work
from engine.environment import Environment, EnvironmentWork, Lock
from engine.fetch import need_of, sources_of
from engine.jobs import Job
from engine.observation import Observed
from engine.resources import Absent, Directory, Enabled, File, Link, Packages, Switchable
from engine.services import Service, fingerprint
from engine.templates import render
from schemas.model import HostPlan, Vllm
from schemas.plan.item import PACKAGE
from schemas.plan.vllm import UNIT

# By it Venom's panel may start and stop its server: exactly this user, exactly this unit.
RULE = "/etc/polkit-1/rules.d/50-venom-vllm.rules"
# The backend finds it on its PATH, and lists it then.
COMMAND = f"{paths.TOOLS}/vllm"
# Private: what lies there is loaded as code. systemd makes it, and keeps it behind a link.
CACHE = "/var/cache/venom-vllm"
_COMPILED = Directory("/var/cache/private/venom-vllm", ours=True)
# Triton compiles for the card that it finds; Python's headers come with the pinned interpreter.
PACKAGES = Packages(("gcc", "libc6-dev", "polkitd"))
# Weights from a slow disk take minutes.
READY_SECONDS = 1200
_PACKAGES_BYTES = int(0.25e9)
# Resident beside its share of the card: two processes, its server and its engine, each with torch and CUDA's
# libraries (2 GB). Weights are read by way of the page cache. Not measured with a card (docs/engines.md).
MEMORY_BYTES = int(4.0e9)
_PYTHON_BYTES = int(0.03e9)
# Of the environment that serves, whatever the plan says meanwhile; by a name, as its program would import all
# of it first.
_INSTALLED = f'"$(dirname "$(readlink -f {COMMAND})")"/../lib/python3*/site-packages/vllm-*.dist-info'
VERSIONS = {"vLLM": ("sh", "-c", rf"ls -d {_INSTALLED} | sed 's/.*vllm-\(.*\)\.dist-info/\1/'")}
SIZES = {"vllm": COMMAND}
# Raised when the way of making the environment changes what comes out.
_RECIPE = "1"


def environment(plan: HostPlan, vllm: Vllm, lock: Lock) -> Environment:
    """Its own environment, of the pinned interpreter."""
    interpreter = f"{vllm.python.version}-{vllm.python.sha256[:8]}"
    key = fingerprint(
        {
            "recipe": _RECIPE,
            "lock": lock.sha256,
            "python": interpreter,
            "arch": plan.arch,
            "uv": plan.uv.version,
        }
    )
    home = f"{paths.PYTHONS}/{interpreter}"
    return Environment(plan, f"{paths.VENVS}/vllm-{key[:12]}", f"{home}/bin/python3", vllm.python, lock)


def environment_job(made: Environment) -> Job:
    """Makes interpreter and environment, and proves them by importing vLLM."""
    proof = f"{made.venv}/proven"
    return Job(
        name="vllm",
        title="vLLM packages",
        key=made.venv.rpartition("-")[2],
        makes=proof,
        needs=(made.venv, made.python),
        script=render(__file__, "environment.sh.j2", **made.values, proof=proof),
    )


def service(vllm: Vllm, venv: str) -> Service:
    """vLLM as a running service. It listens once its model is loaded."""
    return Service(
        unit=UNIT,
        title="vLLM",
        fingerprint=_fingerprint(vllm, venv),
        url=f"http://127.0.0.1:{vllm.port}/health",
        ready_timeout=READY_SECONDS,
    )


def resources(vllm: Vllm, venv: str) -> list[Switchable]:
    """What it has on the host besides its environment and its model."""
    return [
        File(f"{paths.UNITS}/{UNIT}", _unit_text(vllm, venv, _fingerprint(vllm, venv))),
        File(RULE, render(__file__, "vllm.rules.j2", unit=UNIT)),
        Link(COMMAND, f"{venv}/bin/vllm"),
        Enabled(UNIT),
    ]


def _fingerprint(vllm: Vllm, venv: str) -> str:
    return fingerprint({"unit": _unit_text(vllm, venv, "")})


def _unit_text(vllm: Vllm, venv: str, mark: str) -> str:
    values = {"vllm": vllm, "venv": venv, "cache": CACHE, "state": CACHE, "fingerprint": mark}
    return render(__file__, "vllm.service.j2", **values)


def component(plan: HostPlan, lock: Lock | None, *, later: bool = False) -> Component:
    """vLLM; absent where the plan has none. `lock`: of its packages; None: nothing is made of it now.

    `later`: of its Debian packages (`Packages`).
    """
    vllm = plan.vllm
    absent = Component(
        name="vllm",
        resources=tuple(map(Absent, (f"{paths.UNITS}/{UNIT}", RULE, COMMAND, CACHE, _COMPILED.path))),
        leftovers=(PACKAGES, _COMPILED),
        unit=UNIT,
        # A profile without a local model has nobody's (docs/contract.md#profiles).
        claims=plan.ollama is None,
    )
    if vllm is None:
        return absent
    brought = replace(PACKAGES, origin=packages.origin_of(proxy.way(plan), plan), later=later)
    known = replace(absent, prerequisites=(brought,), leftovers=(_COMPILED,), versions=VERSIONS, sizes=SIZES)
    if lock is None:
        return known
    made = environment(plan, vllm, lock)
    job = environment_job(made)

    def work(_host: str, observed: Observed) -> Work:
        return EnvironmentWork("vLLM packages", (job,), observed, made, made.wheel(observed))

    return replace(
        known,
        resources=tuple(resources(vllm, made.venv)),
        jobs=(job,),
        # uv, and often the interpreter, are the backend's, too: two jobs must not make them at once.
        after=("backend",),
        work=work,
        service=service(vllm, made.venv),
        ports=(Port(vllm.port, "vllm", "ports.vllm"),),
        store_paths=(made.venv, made.python.removesuffix("/bin/python3")),
        looked_at=(made.venv,),
        memory=MEMORY_BYTES,
        needs=tuple(_needs(plan, vllm, made)),
        driver=Driver(f"vLLM {vllm.version}", {"": vllm.driver}),
        concerns=("vllm.",),
    )


def _needs(plan: HostPlan, vllm: Vllm, made: Environment) -> list[Need]:
    there = {made.venv: ""}
    sources = sources_of(plan.store, "pypi/", plan.mirrors.pypi)
    # While it is made, its packages are there twice: as they came, and as they are used.
    disk = {paths.OPT: vllm.disk, paths.BUILD: vllm.disk}
    return [
        Need("gcc and polkitd", there, {"/usr": _PACKAGES_BYTES}),
        need_of(vllm.python, {made.python: ""}, paths.OPT, _PYTHON_BYTES),
        Need("vLLM's packages (mirrors.pypi)", there, disk, sources=sources, brings=(PACKAGE,)),
    ]
