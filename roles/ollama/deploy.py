"""The Ollama server: its installation as a job of its own, its unit, and the tier's values beside it."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from roles.common import jobs, paths, services
from roles.common.fetch import archive_path, fetch_line
from roles.common.jobs import Job
from roles.common.look import Seen
from roles.common.operations import converge
from roles.common.resources import Absent, Directory, Enabled, File, Ground, Link, Switchable, User
from roles.common.services import Service
from roles.common.templates import render
from schemas.model import HostPlan, Ollama, VramTier

UNIT = "ollama.service"
DROP_IN = f"{paths.UNITS}/{UNIT}.d"


def home(ollama: Ollama) -> str:
    """Where this release of Ollama lies; the digest tells apart two builds of one version."""
    return f"{paths.OLLAMAS}/{ollama.version}-{ollama.artifact.sha256[:8]}"


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


def service(ollama: Ollama, tier: VramTier) -> Service:
    """Ollama as a running service, and the fingerprint of all that it depends on."""
    return Service(
        unit=UNIT,
        title="Ollama",
        fingerprint=services.fingerprint({"unit": _unit_text(ollama), "tier": _tier_text(ollama, tier, "")}),
        url=f"http://127.0.0.1:{ollama.port}/api/version",
        ready_timeout=60,
    )


def ground(plan: HostPlan) -> list[Ground]:
    """What Ollama stands on: its user, and the store that survives a change of profile."""
    if plan.ollama is None:
        return []
    return [
        User("ollama", paths.OLLAMA_STATE, groups=("render", "video")),
        Directory(paths.OLLAMAS),
        Directory(paths.OLLAMA_STATE, owner="ollama", mode="0700"),
        Directory(paths.MODELS, owner="ollama", mode="0700"),
    ]


def resources(plan: HostPlan) -> list[Switchable]:
    """What Ollama has on the host besides its files; a profile without it has nothing of it."""
    unit, current = f"{paths.UNITS}/{UNIT}", f"{paths.OLLAMAS}/current"
    if plan.ollama is None or plan.tier is None:
        return [Absent(unit), Absent(f"{DROP_IN}/venom.conf"), Absent(current)]
    fingerprint = service(plan.ollama, plan.tier).fingerprint
    return [
        Directory(DROP_IN),
        File(unit, _unit_text(plan.ollama)),
        File(f"{DROP_IN}/venom.conf", _tier_text(plan.ollama, plan.tier, fingerprint)),
        Link(current, home(plan.ollama).rsplit("/", 1)[-1]),
        Enabled(UNIT),
    ]


def _unit_text(ollama: Ollama) -> str:
    return render(__file__, "ollama.service.j2", home=home(ollama))


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
def installed(plan: HostPlan, job: Job, seen: Seen) -> None:
    """Wait for Ollama's files, and give it its user and its store."""
    jobs.finish(name="download", job=job, seen=seen)
    converge(name="user and store", resources=ground(plan), seen=seen)
