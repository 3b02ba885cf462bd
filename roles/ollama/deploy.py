"""The Ollama server: its installation as a job of its own, its unit, and the tier's values beside it."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from roles.common import jobs, paths, services
from roles.common.fetch import archive_path, fetch_line
from roles.common.jobs import Job
from roles.common.look import Seen
from roles.common.resources import Absent, Directory, Enabled, File, Ground, Link, Switchable, User
from roles.common.services import Generates, Service
from roles.common.templates import render
from schemas.model import HostPlan, Model, Ollama, VramTier

UNIT = "ollama.service"
DROP_IN = f"{paths.UNITS}/{UNIT}.d"
# Loading 17 GB from a slow disk takes minutes; Ollama's own stall limit ends what hangs before this.
LOAD_SECONDS = 1200


def home(ollama: Ollama) -> str:
    """Where this release of Ollama lies; the digest tells apart two builds of one version."""
    return f"{paths.OLLAMAS}/{ollama.version}-{ollama.artifact.sha256[:8]}"


def binary(ollama: Ollama) -> str:
    """The program itself."""
    return f"{home(ollama)}/bin/ollama"


def install_job(ollama: Ollama) -> Job:
    """Makes Ollama's directory. Nothing that is there already is deleted before."""
    script = render(
        __file__,
        "install.sh.j2",
        ollama=home(ollama),
        version=ollama.version,
        archive=archive_path(ollama.artifact),
        fetch=fetch_line(ollama.artifact),
    )
    return Job(
        name="ollama",
        title=f"Ollama {ollama.version}",
        key=ollama.artifact.sha256[:12],
        makes=home(ollama),
        script=script,
    )


def service(ollama: Ollama, tier: VramTier, model: Model, gpu: bool) -> Service:
    """Ollama as a running service, and the fingerprint of all that it depends on.

    It serves once `model` generates. `gpu`: whether the host has a card that it should lie on.
    """
    api = f"http://127.0.0.1:{ollama.port}"
    return Service(
        unit=UNIT,
        title="Ollama",
        fingerprint=_fingerprint(ollama, tier),
        url=f"{api}/api/version",
        ready_timeout=60,
        # Weights first, backend second: Venom rewrites its settings when its model is not there.
        first=True,
        model=Generates(model.name, api, gpu, load_timeout=LOAD_SECONDS),
    )


def ground() -> list[Ground]:
    """What Ollama stands on: its user, and the store that survives a change of profile.

    Every host has it, so that none tells which profile it had before.
    """
    return [
        User("ollama", paths.OLLAMA_STATE, groups=("render", "video")),
        Directory(paths.OLLAMAS, ours=True),
        Directory(paths.OLLAMA_STATE, owner="ollama", mode="0700", keeps="weights"),
        Directory(paths.MODELS, owner="ollama", mode="0700"),
    ]


def resources(plan: HostPlan) -> list[Switchable]:
    """What Ollama has on the host besides its files; a profile without it has nothing of it."""
    unit, current = f"{paths.UNITS}/{UNIT}", f"{paths.OLLAMAS}/current"
    if plan.ollama is None or plan.tier is None:
        return [Absent(unit), Absent(f"{DROP_IN}/venom.conf"), Absent(current)]
    fingerprint = _fingerprint(plan.ollama, plan.tier)
    return [
        Directory(DROP_IN),
        File(unit, _unit_text(plan.ollama)),
        File(f"{DROP_IN}/venom.conf", _tier_text(plan.ollama, plan.tier, fingerprint)),
        Link(current, home(plan.ollama).rsplit("/", 1)[-1]),
        Enabled(UNIT),
    ]


def _fingerprint(ollama: Ollama, tier: VramTier) -> str:
    return services.fingerprint({"unit": _unit_text(ollama), "tier": _tier_text(ollama, tier, "")})


def _unit_text(ollama: Ollama) -> str:
    return render(__file__, "ollama.service.j2", home=home(ollama), state=paths.OLLAMA_STATE)


def _tier_text(ollama: Ollama, tier: VramTier, fingerprint: str) -> str:
    return render(
        __file__,
        "tier.conf.j2",
        tier=tier.name,
        environment={**ollama.env, "HOME": paths.OLLAMA_STATE},
        fingerprint=fingerprint,
    )


@deploy("Ollama")
def install(job: Job, seen: Seen) -> None:
    """Start the job that brings Ollama to the host."""
    jobs.start(name="start the download", job=job, seen=seen)


@deploy("Ollama")
def installed(job: Job, seen: Seen) -> None:
    """Wait for Ollama's files."""
    jobs.finish(name="download", job=job, seen=seen)
