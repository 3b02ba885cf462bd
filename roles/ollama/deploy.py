"""The Ollama server: its installation as a job of its own, its unit, and the VRAM tier's values beside it."""

from __future__ import annotations

from dataclasses import replace

from packaging.version import Version

from engine import containers, paths, pieces, proxy, services
from engine.component import Component, Driver, Need, Port
from engine.containers import Container
from engine.fetch import archive_path, fetch_line, need_of, part_path
from engine.jobs import Job
from engine.pieces import Passing
from engine.resources import Absent, Directory, Enabled, File, Link, Prerequisite, Switchable, User
from engine.services import Generates, Service
from engine.templates import render
from schemas.model import Artifact, HostPlan, Image, Model, Ollama, VramTier

UNIT = "ollama.service"
DROP_IN = f"{paths.UNITS}/{UNIT}.d"
# Loading 17 GB from a slow disk takes minutes; Ollama's own stall limit ends what hangs before this.
LOAD_SECONDS = 1200
CURRENT = f"{paths.OLLAMAS}/current"
# By the folder that the link names, VERSION-DIGEST: the program would ask its server.
VERSIONS = {"Ollama": ("sh", "-c", f"readlink {CURRENT} | sed 's/-[^-]*$//'")}
SIZES = {"ollama": CURRENT}
# Bytes of its archive or image, where upstream does not state them.
_TYPICAL_BYTES = int(1.4e9)


def home(ollama: Ollama) -> str:
    """Where this release of Ollama lies; the digest distinguishes two builds of one version.

    Of one that runs from an image only its command is there.
    """
    return f"{paths.OLLAMAS}/{ollama.version}-{(ollama.image or _file(ollama)).sha256[:8]}"


def install_job(plan: HostPlan, ollama: Ollama, passing: Passing | None = None) -> Job:
    """Brings Ollama to the host, from other hosts first where it is passed on.

    Nothing that is there already is deleted before.
    """
    title = f"Ollama {ollama.version}"
    if ollama.image and plan.engine:
        # Venom lists and deletes models by a command `ollama` that it looks for.
        return containers.pull_job(
            ollama.image, plan.engine, plan.arch, title, program="/bin/ollama", home=home(ollama)
        )
    artifact = _file(ollama)
    script = render(
        __file__,
        "install.sh.j2",
        ollama=home(ollama),
        version=ollama.version,
        archive=archive_path(artifact),
        pieces=pieces.lines(passing, artifact.sha256, part_path(artifact)),
        fetch=fetch_line(artifact),
    )
    return Job(
        name="ollama",
        title=title,
        key=artifact.sha256[:12],
        makes=home(ollama),
        script=script,
    )


def _file(ollama: Ollama) -> Artifact:
    if ollama.artifact is None:
        raise ValueError("an Ollama from an image has no file")
    return ollama.artifact


def serve_command(plan: HostPlan, ollama: Ollama) -> list[str]:
    """What starts a second server, in order to pull: as root it goes over to Ollama's user by itself."""
    if ollama.image and plan.engine:
        container = _container(plan, ollama, ollama.image)
        container = replace(
            container,
            unit="venom-weights.service",
            passes=(*container.passes, *pulls_by(plan)),
            environment={**container.environment, "SSL_CERT_FILE": paths.CA_CERTIFICATES},
            readable=(paths.CA_CERTIFICATES,),
            health=(),
        )
        return containers.beside(container, plan.engine)
    return [f"{home(ollama)}/bin/ollama", "serve"]


def pulls_by(plan: HostPlan) -> tuple[str, ...]:
    """Names of the proxy's variables for the server that pulls: http only for a registry without TLS."""
    plain = plan.model is not None and plan.model.insecure
    return proxy.names(plan, proxy.BOTH if plain else proxy.HTTPS_ONLY)


def service(
    plan: HostPlan, ollama: Ollama, vram_tier: VramTier, model: Model, gpu: bool, checked_by: str = ""
) -> Service:
    """Ollama as a running service, and the fingerprint of all that it depends on.

    It serves once `model` generates. `gpu`: whether the host has a card that it should lie on;
    `checked_by`: the unit that checks that after a boot.
    """
    api = f"http://127.0.0.1:{ollama.port}"
    manifest = f"{paths.MANIFESTS}/registry.ollama.ai/library/{model.name.replace(':', '/')}"
    return Service(
        unit=UNIT,
        title="Ollama",
        fingerprint=_fingerprint(plan, ollama, vram_tier),
        url=f"{api}/api/version",
        ready_timeout=60,
        # Weights first, backend second: Venom rewrites its settings when its model is not there.
        first=True,
        model=Generates(
            *(model.name, api, gpu, LOAD_SECONDS, manifest),
            may_spill=gpu and plan.may_spill,
            checked_by=checked_by if gpu and not plan.may_spill else "",
        ),
        runner=containers.runner(plan.engine if ollama.image else None),
    )


def prerequisites() -> list[Prerequisite]:
    """What Ollama stands on: its user, and the store that survives a change of profile.

    Every host has it, so that none shows which profile it had before.
    """
    return [
        User("ollama", paths.OLLAMA_STATE, groups=("render", "video")),
        Directory(paths.OLLAMAS, ours=True),
        Directory(paths.OLLAMA_STATE, owner="ollama", mode="0700", keeps="weights"),
        Directory(paths.MODELS, owner="ollama", mode="0700"),
    ]


def resources(plan: HostPlan) -> list[Switchable]:
    """What Ollama has on the host besides its files; a profile without it has nothing of it."""
    unit = f"{paths.UNITS}/{UNIT}"
    ollama, vram_tier = plan.ollama, plan.vram_tier
    if ollama is None or vram_tier is None:
        return [Absent(unit), *containers.absent(UNIT), Absent(f"{DROP_IN}/venom.conf"), Absent(CURRENT)]
    settings = File(
        f"{DROP_IN}/venom.conf",
        _vram_tier_text(plan, ollama, vram_tier, _fingerprint(plan, ollama, vram_tier)),
    )
    link = Link(CURRENT, home(ollama).rsplit("/", 1)[-1])
    if ollama.image and plan.engine:
        container = _container(plan, ollama, ollama.image)
        # Before the unit: whoever starts that meanwhile starts it with these.
        return [
            Directory(DROP_IN),
            settings,
            *containers.resources(container, plan.engine),
            link,
        ]
    return [
        Directory(DROP_IN),
        File(unit, _unit_text(plan, ollama)),
        *containers.absent(UNIT),
        settings,
        link,
        Enabled(UNIT),
    ]


def _fingerprint(plan: HostPlan, ollama: Ollama, vram_tier: VramTier) -> str:
    return services.fingerprint(
        {"unit": _unit_text(plan, ollama), "tier": _vram_tier_text(plan, ollama, vram_tier, "")}
    )


def _unit_text(plan: HostPlan, ollama: Ollama) -> str:
    if ollama.image and plan.engine:
        return containers.unit_text(_container(plan, ollama, ollama.image), plan.engine)
    return render(__file__, "ollama.service.j2", home=home(ollama), state=paths.OLLAMA_STATE)


def _container(plan: HostPlan, ollama: Ollama, image: Image) -> Container:
    return Container(
        unit=UNIT,
        description="Ollama",
        image=image,
        user="ollama",
        command=("serve",),
        passes=(*ollama.env, "VENOM_FINGERPRINT", *proxy.names(plan, proxy.HTTPS_ONLY)),
        # Fixed: as root's, podman would read settings there, which Ollama may write.
        environment={"HOME": paths.OLLAMA_STATE},
        writable=(paths.OLLAMA_STATE,),
        devices=containers.card_devices(ollama.cards),
        health=("ollama", "list"),
    )


def _vram_tier_text(plan: HostPlan, ollama: Ollama, vram_tier: VramTier, fingerprint: str) -> str:
    home = {} if ollama.image else {"HOME": paths.OLLAMA_STATE}
    return render(
        __file__,
        "vram_tier.conf.j2",
        vram_tier=vram_tier.name,
        proxy=proxy.way(plan).digest,
        environment={**ollama.env, **home},
        fingerprint=fingerprint,
    )


def component(
    plan: HostPlan, passing: Passing | None = None, *, gpu: bool, checked_by: str = ""
) -> Component:
    """The model server; absent in a profile without one. `gpu`, `checked_by`: as for `service`."""
    ollama, vram_tier, model = plan.ollama, plan.vram_tier, plan.model
    whole = Component(
        name="ollama",
        prerequisites=tuple(prerequisites()),
        resources=tuple(resources(plan)),
        unit=UNIT,
        # A profile without a local model has nobody's (docs/contract.md#profiles).
        claims=True,
        versions=VERSIONS,
        sizes=SIZES,
    )
    if not (ollama and vram_tier and model):
        return whole
    job = install_job(plan, ollama, passing)
    return replace(
        whole,
        jobs=(job,),
        service=service(plan, ollama, vram_tier, model, gpu, checked_by),
        ports=(Port(ollama.port, "ollama"),),
        store_paths=(job.makes, *job.needs),
        needs=(_need(ollama),),
        driver=_driver(plan, ollama),
        concerns=("api.", "model.", "gpu."),
    )


def _driver(plan: HostPlan, ollama: Ollama) -> Driver:
    needed = plan.drivers.needed
    others = sorted((it for it in needed if it != ollama.version), key=Version, reverse=True)
    instead = {f'ollama: {{version: "{it}"}}': needed[it] for it in others}
    return Driver(f"Ollama {ollama.version}", needed.get(ollama.version, {}), instead)


def _need(ollama: Ollama) -> Need:
    there = {home(ollama): ""}
    if ollama.image:
        return containers.need_of(ollama.image, there, _TYPICAL_BYTES)
    return need_of(_file(ollama), there, paths.OLLAMAS, _TYPICAL_BYTES)
