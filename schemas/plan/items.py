"""What the plans of an inventory need from elsewhere, each thing once: with digest, origins and place. Pure.

Everything here follows from plans, pins and locks. What a lock or a manifest does not say before it was read
stands in `Read`; without it the same items come, but for those that it lists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from schemas.data.pins import Pins
from schemas.model import Artifact, HostPlan, Image, Model, TreeFile
from schemas.plan import item as kinds
from schemas.plan.item import Item, Needed, file_face
from schemas.plan.listed import packages, tarball_path, tarballs

_DEBIAN = "deb.debian.org"  # with the archives `debian` and `debian-security` below it
_SIGNED = "apt verifies it by the InRelease that the distribution signed"
_MADE = "made by the first host that builds it; its key names all inputs"
_PACKED = "named by its content; the controller packs it, and then knows its digest"
_COMMIT = "named by its commit; the controller packs it, and then knows its digest"
_UNLOCKED = "its lock has no digest for it"


@dataclass(frozen=True)
class Packed:
    """Something that was packed: its digest (hex sha256), and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Read:
    """What was read for a plan. Left out: it is not known yet, or this plan needs none."""

    lock: str = ""  # the requirements file with hashes, of the backend's packages
    vllm: str = ""  # the same of vLLM's
    build: str = ""  # the same of what builds those that are published as source only
    npm: str = ""  # package-lock.json
    debian: Sequence[str] = ()  # names of Debian packages
    codename: str = ""  # of the Debian that they are for; empty where that is not known, or another system
    source: Packed | None = None  # Venom's, as the controller packs it
    ui: str = ""  # key of the built UI


def items(plan: HostPlan, pins: Pins, read: Read) -> list[Item]:
    """What the plan's host needs, whatever it has already. Of a plan without a store, the origins are all."""
    found = [*_venom(plan, pins, read), *_local(plan, pins), *_vllm(plan, pins, read), *_trees(plan)]
    found += (_debian(plan, name, read.codename) for name in read.debian)
    return list({it.key: it for it in found}.values())


def needed(of: Iterable[tuple[HostPlan, Pins, Read]]) -> list[Needed]:
    """What the hosts of these plans need, each thing once, from wherever any of them would get it."""
    found: dict[tuple[object, ...], Item] = {}
    hosts: dict[tuple[object, ...], list[str]] = {}
    for plan, pins, read in of:
        for it in items(plan, pins, read):
            first = found.get(it.key, it)
            origins = tuple(dict.fromkeys((*first.origins, *it.origins)))
            found[it.key] = replace(it, origins=origins, size=it.size or first.size)
            hosts.setdefault(it.key, []).append(plan.host)
    return [Needed(it, tuple(dict.fromkeys(hosts[key]))) for key, it in found.items()]


def unpinned(of: Iterable[Needed]) -> list[Needed]:
    """What has no digest before it is fetched or made, each with why."""
    return [it for it in of if not it.item.digests]


def _venom(plan: HostPlan, pins: Pins, read: Read) -> Iterator[Item]:
    if plan.images:
        yield _image(plan.images.backend, plan.arch)
        yield _image(plan.images.frontend, plan.arch)
        return
    if plan.python.artifact:
        yield _artifact(plan.python.artifact)
    yield _artifact(plan.node.artifact)
    yield _source(plan, read)
    yield _ui(read)
    index = _index(plan, pins)
    uv = (f"sha256:{plan.uv.integrity}",)
    size = pins.uv_sizes.get(plan.arch, 0)
    yield _package(index, "uv", plan.uv.version, uv, (plan.python.minor, plan.arch), size)
    for it in (*packages(read.lock), *packages(read.build)):
        yield _package(index, it.name, it.version, it.digests, (plan.python.minor, plan.arch))
    registry = (plan.mirrors.npm or pins.registries["npm"]).rstrip("/")
    for font in plan.ui.fonts:
        path = tarball_path(font.name, font.version)
        yield _tarball(registry, font.name, font.version, font.integrity, path)
    for tarball in tarballs(read.npm, plan.arch) if read.npm else ():
        yield _tarball(registry, tarball.name, tarball.version, tarball.integrity, tarball.path)


def _local(plan: HostPlan, pins: Pins) -> Iterator[Item]:
    if plan.ollama and plan.ollama.artifact:
        yield _artifact(plan.ollama.artifact)
    if plan.ollama and plan.ollama.image:
        yield _image(plan.ollama.image, plan.arch)
    if plan.model:
        yield from _model(plan, plan.model, pins)


def _vllm(plan: HostPlan, pins: Pins, read: Read) -> Iterator[Item]:
    """Interpreter and packages of its environment."""
    if plan.vllm is None:
        return
    yield _artifact(plan.vllm.python)
    index = _index(plan, pins)
    fits = (plan.vllm.python.version.rpartition(".")[0], plan.arch)
    for package in packages(read.vllm):
        yield _package(index, package.name, package.version, package.digests, fits)


def _trees(plan: HostPlan) -> Iterator[Item]:
    """Each file of the engines' models."""
    for tree, _ in plan.trees.values():
        for file in tree.files:
            yield _file(f"{file.path} of {tree.repository}", file)


def _artifact(it: Artifact) -> Item:
    return _file(f"{it.name} {it.version}", it)


def _file(name: str, it: Artifact | TreeFile) -> Item:
    return Item(
        kind=kinds.FILE,
        name=name,
        digests=(f"sha256:{it.sha256}",),
        size=it.size,
        origins=it.urls,
        face=file_face(it.urls[-1]),
    )


def _model(plan: HostPlan, model: Model, pins: Pins) -> Iterator[Item]:
    """The manifest and its largest part. The others the manifest names, by digest: they are pinned by it."""
    name, tag = model.name.split(":")
    origin = plan.mirrors.ollama or pins.registries["ollama"]
    registry = origin if "://" in origin else f"http://{origin}"
    within = f"v2/library/{name}"
    layer = pins.weights[model.name].layer
    parts = (
        (kinds.MANIFEST, f"manifests/{tag}", model.digest, 0),
        (kinds.BLOB, f"blobs/sha256:{layer}", layer, model.size),
    )
    for kind, path, digest, size in parts:
        face = f"{within}/{path}"
        title, digests = f"{kind} of {model.name}", (f"sha256:{digest}",)
        yield Item(kind, title, digests, size, (f"{registry}/{face}",), face)


def _image(image: Image, arch: str) -> Item:
    """The manifest of an image, or its list of architectures; what it names is pinned by it."""
    origins = []
    for place in image.places:
        scheme, _, rest = place.partition("://")
        registry, _, path = rest.partition("@")[0].partition("/")
        origins.append(f"{scheme}://{registry}/v2/{path}/manifests/sha256:{image.sha256}")
    digest = f"sha256:{image.sha256}"
    face = f"v2/{path}/manifests/{digest}"
    name = f"image of {image.name} {image.version}"
    return Item(kinds.IMAGE, name, (digest,), 0, tuple(origins), face, fits=(arch,))


def _index(plan: HostPlan, pins: Pins) -> str:
    return (plan.mirrors.pypi or pins.registries["pypi"]).rstrip("/")


def _package(
    index: str, name: str, version: str, digests: tuple[str, ...], fits: tuple[str, ...], size: int = 0
) -> Item:
    return Item(
        kind=kinds.PACKAGE,
        name=f"{name} {version}",
        digests=digests,
        size=size,
        origins=(f"{index}/{name}/",),
        face=f"pypi/{name}/",
        fits=fits,
        unpinned="" if digests else _UNLOCKED,
    )


def _tarball(registry: str, name: str, version: str, integrity: str, path: str) -> Item:
    return Item(
        kind=kinds.TARBALL,
        name=f"{name} {version}",
        digests=(integrity,) if integrity else (),
        size=0,
        origins=(f"{registry}/{path}",),
        face=f"npm/{path}",
        unpinned="" if integrity else _UNLOCKED,
    )


def _source(plan: HostPlan, read: Read) -> Item:
    source = plan.source
    digests = (f"sha256:{read.source.sha256}",) if read.source else ()
    name = source.commit or (read.source.sha256 if read.source else "tree")
    return Item(
        kind=kinds.SOURCE,
        name=f"source of Venom {source.release}" + (f" ({source.commit[:12]})" if source.commit else ""),
        digests=digests,
        size=read.source.size if read.source else 0,
        origins=(source.location,),
        face=f"sources/{name}.tar.gz",
        unpinned="" if digests else _COMMIT if source.commit else _PACKED,
    )


def _ui(read: Read) -> Item:
    name = read.ui or "unknown"
    return Item(kinds.UI, f"built UI {name}", (), 0, (), f"uis/{name}.tar.zst", unpinned=_MADE)


def _debian(plan: HostPlan, name: str, codename: str) -> Item:
    """A package, as what it depends on comes with it; apt decides what that is, and in which version."""
    mirrors = [f"{base.rstrip('/')}/{_DEBIAN}" for base in plan.mirrors.files]
    return Item(
        kind=kinds.DEBIAN,
        name=name,
        digests=(),
        size=0,
        origins=(*mirrors, f"http://{_DEBIAN}"),
        face="debian/",
        fits=(codename, plan.arch) if codename else (),
        unpinned=_SIGNED,
    )
