"""What the inventory says of one host, checked against the contract and the pins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.data.contract import contract
from schemas.data.image_reference import Reference, without_digest
from schemas.data.pinned import version_meant
from schemas.data.pins import File, Pins, how_to_pin
from schemas.declared.backup import backup_document, backup_of
from schemas.declared.door import door_of
from schemas.declared.engines import engines_of
from schemas.declared.environment import checked
from schemas.declared.metrics import metrics_of
from schemas.declared.pull import pull_of
from schemas.declared.references import absolute, reference, secret_of
from schemas.declared.requirements import added_of, tiers_of
from schemas.declared.rollout import Rollout
from schemas.declared.spellings import model_meant
from schemas.declared.venom import images_of, source_of
from schemas.model import (
    Backup,
    Development,
    Door,
    Metrics,
    Mirrors,
    Peer,
    Proxy,
    Pull,
    Secret,
    ServedStore,
    Source,
    Ssh,
    Store,
)
from schemas.reading.inherit import Settings
from schemas.reading.problem import Problem, did_you_mean, listed

_KINDS = ("python", "node", "ollama")


@dataclass(frozen=True)
class Choice:
    """A version of Python, Node.js or Ollama that the inventory asks for."""

    version: str  # empty: the release's
    files: Mapping[str, File]  # of the operator's own, by architecture; empty: the pinned ones
    by_image: bool = False  # from a container image instead of a file
    image: Reference | None = None  # of the operator's own; None: the pinned one


@dataclass(frozen=True)
class DeclaredHost:
    """One host as declared: defaults filled in, paths absolute, names known. No hardware yet."""

    name: str
    ssh: Ssh
    arch: str
    profile: str
    vram_tier: str  # a tier's name, or auto
    model: str  # a tag, or auto
    source: Source
    images: Mapping[str, Reference]  # Venom's, by what they hold (backend, frontend); empty: it is made
    development: Development | None
    requirements_tier: str
    extras: tuple[str, ...]
    add: tuple[str, ...]
    python: Choice
    node: Choice
    ollama: Choice
    mirrors: Mirrors
    proxy: Proxy | None
    ca_bundle: str | None
    ports: Mapping[str, int]
    door: Door
    installs_driver: bool  # whether a card that no driver uses gets one
    may_spill: bool  # whether a model that lies only partly in VRAM counts as serving
    ready_timeout: int  # of the backend, seconds
    keep_generations: int
    budgets: Mapping[str, float]  # figure → what it may be at most; the unit is in the name
    environment: Mapping[str, str]
    secrets: Mapping[str, Secret]
    pins: Pins = field(repr=False)
    settings: Settings = field(repr=False)
    store: Store | None = None
    serves_store: ServedStore | None = None
    rollout: Rollout | None = None  # that of its inventory
    backup: Backup | None = None
    metrics: Metrics | None = None
    peer: Peer | None = None
    engines: Mapping[str, str] = field(default_factory=dict)  # beside Ollama → the repository of its model
    pull: Pull | None = None

    @property
    def by_image(self) -> bool:
        """Whether anything of it runs from a container image."""
        ollama = self.ollama.by_image and "ollama" in contract().profiles[self.profile].services
        return ollama or bool(self.images)

    def problem(self, keys: tuple[str, ...], found: str, allowed: str, hint: str = "") -> Problem:
        """A fault of this host's plan, with the line that asks for it."""
        line, path = self.settings.place(keys)
        return Problem(self.settings.document.name, line, path, found, allowed, hint)

    def to_json(self) -> dict[str, Any]:
        """What was declared, for pyinfra's debug-inventory: secrets as references."""
        secrets = {name: reference(secret) for name, secret in self.secrets.items()}
        document = {**self.settings.data, **({"secrets": secrets} if secrets else {})}
        if "door" in document:
            users = {name: reference(secret) for name, secret in self.door.users.items()}
            written = document["door"].get("key")  # without tls: own it is no part of the door
            key = {"key": reference(secret_of(written, self.settings))} if written else {}
            document["door"] = {**document["door"], **({"users": users} if users else {}), **key}
        if self.proxy and self.proxy.credentials:
            document["proxy"] = {**document["proxy"], "credentials": reference(self.proxy.credentials)}
        if self.backup:
            document["backup"] = backup_document(document["backup"], self.backup)
        return document


def declare(settings: Settings, pins: Pins) -> tuple[DeclaredHost | None, list[Problem]]:
    """The host, or None and everything that the contract and the pins have against it."""
    known, problems = contract(), []
    profile = settings.get("profile", default=known.profile)
    model = settings.get("model", default=known.model)
    if model != "auto" and model not in pins.weights:
        tags = [*pins.weights, "auto"]
        problems.append(settings.problem(("model",), f'"{model}"', listed(tags), _model_hint(model, tags)))
    source = source_of(settings, pins, problems)
    choices = {kind: _choice(settings, pins, kind, problems) for kind in _KINDS}
    ports = {**known.ports, **settings.get("ports", default={})}
    _distinct(settings, ports, problems)
    engines = engines_of(settings, profile, pins, problems)
    door = door_of(settings, profile, ports, problems)
    environment = checked(settings, profile, problems)
    secrets = _secrets(settings, problems)
    if source is not None:
        tiers = tiers_of(settings, profile, source.release, engines, problems)
        images = images_of(settings, pins, source, tiers, problems)
    added = added_of(settings, problems)
    ssh = settings.get("ssh", default={})
    user = ssh.get("user")
    ca_bundle = settings.get("ca_bundle")
    mirrors = settings.get("mirrors", default={})
    # Where one of the two is missing, that was reported already.
    work = settings.get("development", default={})
    metrics = metrics_of(settings, problems)
    development = Development(**work) if len(work) == 2 else None
    backup = backup_of(settings, problems)
    if problems or source is None:
        return None, problems
    host = DeclaredHost(
        name=settings.host,
        ssh=Ssh(
            address=settings.get("address", default=settings.host),
            port=ssh.get("port"),
            user=user,
            key=absolute(ssh["key"], settings) if "key" in ssh else None,
            known_hosts=absolute(ssh["known_hosts"], settings) if "known_hosts" in ssh else None,
            sudo=ssh.get("sudo", None if user is None else user != "root"),
        ),
        arch=settings.get("arch", default=known.arch),
        profile=profile,
        vram_tier=settings.get("vram_tier", default=known.vram_tier),
        model=model,
        source=source,
        images=images,
        development=development,
        requirements_tier=tiers[0],
        extras=tiers[1:],
        add=added,
        python=choices["python"],
        node=choices["node"],
        ollama=choices["ollama"],
        mirrors=Mirrors(
            files=tuple(url.rstrip("/") for url in mirrors.get("files", ())),
            pypi=mirrors.get("pypi", ""),
            npm=mirrors.get("npm", ""),
            ollama=mirrors.get("ollama", "").rstrip("/"),
            images=tuple(url.rstrip("/") for url in mirrors.get("images", ())),
        ),
        proxy=_proxy(settings),
        backup=backup,
        ca_bundle=absolute(ca_bundle, settings) if ca_bundle else None,
        ports=ports,
        door=door,
        installs_driver=settings.get("gpu", "driver", default="keep") == "install",
        may_spill=settings.get("gpu", "spill", default="refuse") == "allow",
        ready_timeout=settings.get("ready_timeout", default=known.ready_timeout),
        keep_generations=settings.get("keep_generations", default=known.keep_generations),
        budgets={**known.budgets, **settings.get("budgets", default={})},
        environment=environment,
        secrets=secrets,
        pins=pins,
        settings=settings,
        metrics=metrics,
        engines=engines,
        pull=pull_of(settings),
    )
    return host, []


def _model_hint(model: str, tags: list[str]) -> str:
    if model in ("none", "off"):
        return "write profile: llm_off"
    meant = model_meant(model)
    # As a typing error: gemma2 and gemma3n are other models, not that.
    hint = f'did you mean "{meant}"?' if meant in tags else did_you_mean(model, tags, 0.92)
    return hint or "another tag needs its digests under weights in a file of pins"


def _choice(settings: Settings, pins: Pins, kind: str, problems: list[Problem]) -> Choice:
    section = settings.get(kind, default={})
    version, artifact = section.get("version", ""), section.get("artifact")
    if section.get("install") == "image":
        return _image(settings, kind, version, problems)
    if "image" in section:
        hint = "add install: image"
        problems.append(settings.problem((kind, "image"), "image without install: image", "both", hint))
    if artifact is None:
        if version and version not in pins.artifacts[kind]:
            found, allowed = f'"{version}"', listed(pins.artifacts[kind])
            meant = version_meant(f"{kind}.version", version)
            hint = f'did you mean "{meant}"?' if meant else how_to_pin(kind, version)
            problems.append(settings.problem((kind, "version"), found, allowed, hint))
        return Choice(version, {})
    if not version:
        found = "an artifact without a version"
        problems.append(settings.problem((kind,), found, "version and artifact together"))
    by_arch = {arch: artifact[arch] for arch in ("amd64", "arm64") if arch in artifact}
    single = {key: value for key, value in artifact.items() if key not in by_arch}
    if by_arch and single:
        allowed = "either url and sha256, or amd64 and arm64"
        problems.append(settings.problem((kind, "artifact"), listed(artifact), allowed))
    files = {}
    for arch, file in (by_arch or {"amd64": single, "arm64": single}).items():
        keys = (kind, "artifact", arch) if by_arch else (kind, "artifact")
        if "url" not in file:
            problems.append(settings.problem(keys, "no url", "url and sha256"))
        elif "sha256" not in file:
            hint = how_to_pin(kind, version or "…")
            problems.append(settings.problem(keys, "no sha256", "url and sha256", hint))
        else:
            files[arch] = File(file["url"], file["sha256"], file.get("size", 0))
    return Choice(version, files)


def _image(settings: Settings, kind: str, version: str, problems: list[Problem]) -> Choice:
    """A choice of `install: image`. Which image the pins have for it, the plan finds."""
    section = settings.get(kind)
    if "artifact" in section:
        found = "artifact with install: image"
        problems.append(settings.problem((kind, "artifact"), found, "image, or install: binary"))
    if "image" not in section:
        return Choice(version, {}, by_image=True)
    if not version:
        found = "an image without a version"
        problems.append(settings.problem((kind,), found, "version and image together"))
    image = Reference.of(section["image"])
    if not image.sha256:
        problems.append(settings.problem((kind, "image"), *without_digest(image)))
    return Choice(version, {}, by_image=True, image=image)


def _distinct(settings: Settings, ports: dict[str, int], problems: list[Problem]) -> None:
    # One that nothing listens at is in nobody's way.
    idle = () if settings.get("engines", "vllm") else ("vllm",)
    for name, port in ports.items():
        others = [it for it in ports if it not in (name, *idle) and ports[it] == port]
        if others and settings.get("ports", name) is not None:
            found = f"{port}, which {' and '.join(others)} has too"
            problems.append(settings.problem(("ports", name), found, "a port of its own"))


def _proxy(settings: Settings) -> Proxy | None:
    proxy = settings.get("proxy", default={})
    if "url" not in proxy:  # where it is missing, that was reported already
        return None
    return Proxy(
        url=proxy["url"].rstrip("/"),
        exempt=tuple(it.lstrip(".").lower() for it in proxy.get("except", ())),
        credentials=secret_of(proxy["credentials"], settings) if "credentials" in proxy else None,
    )


def _secrets(settings: Settings, problems: list[Problem]) -> dict[str, Secret]:
    known, result = contract(), {}
    for name, written in settings.get("secrets", default={}).items():
        if name not in known.secret():
            hint = did_you_mean(name, known.secret())
            if name in known.settable():
                hint = f"{name} is no secret: write it under environment"
            allowed = listed(known.secret())
            problems.append(settings.problem(("secrets", name), f'the name "{name}"', allowed, hint))
            continue
        result[name] = secret_of(written, settings)
    return result
