"""Which Venom the inventory asks for: a source, or the two images that were made of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from schemas.data.artifacts import variants
from schemas.data.contract import contract
from schemas.data.image_reference import Reference, without_digest
from schemas.data.pins import Pins
from schemas.declared.references import absolute
from schemas.model import Source
from schemas.reading.inherit import Settings
from schemas.reading.problem import Problem, listed

IMAGE = "image"  # kind of a source that only its images hold
FRONTEND = "venom-frontend"
# What has no meaning beside `install: image`: the image holds it.
_HELD = ("commit", "like", "git", "repository", "tree")


def source_of(settings: Settings, pins: Pins, problems: list[Problem]) -> Source | None:
    """Where Venom comes from, or None and what stands against it."""
    venom = settings.get("venom", default={})
    if venom.get("install") == IMAGE:
        return _held_by_images(settings, pins, venom, problems)
    kinds = [kind for kind in ("git", "repository", "tree") if kind in venom]
    before = len(problems)
    _one_source(settings, venom, kinds, problems)
    for key in ("release", "like"):
        if key in venom:
            _known(settings, pins, key, venom[key], problems)
    if len(problems) > before:
        return None
    commit = venom.get("commit", "")
    same = next((r.name for r in pins.releases.values() if r.commit == commit), None)
    name = venom.get("release") or venom.get("like") or same or contract().release
    release = pins.releases[name]
    if "tree" in venom:
        return Source("tree", absolute(venom["tree"], settings), "", name)
    kind = kinds[0] if kinds else "git"
    location = venom.get(kind, release.git)
    if kind == "repository":
        location = absolute(location, settings)
    return Source(kind, location, commit or release.commit, name)


def _one_source(
    settings: Settings, venom: Mapping[str, object], kinds: Sequence[str], problems: list[Problem]
) -> None:
    """What names a source twice, or names none and has images."""
    if "images" in venom:
        hint = "write install: image beside it, or remove it"
        problems.append(
            settings.problem(("venom", "images"), "images beside a source", "install: image", hint)
        )
    if len(kinds) > 1:
        problems.append(settings.problem(("venom",), " and ".join(kinds), "one of git, repository, tree"))
    if "release" in venom and "commit" in venom:
        hint = "keep commit, and write like: instead of release:"
        problems.append(settings.problem(("venom",), "release and commit", "one of release, commit", hint))
    if "tree" in venom:
        for key in ("release", "commit"):
            if key in venom:
                hint = "a tree is taken as it is; write like: v… for the release it resembles"
                problems.append(settings.problem(("venom", key), f"{key} beside tree", "tree and like", hint))
    if "release" in venom and "like" in venom:
        hint = "like goes with commit or tree: remove it"
        problems.append(settings.problem(("venom", "like"), "like beside release", "release alone", hint))


def images_of(
    settings: Settings, pins: Pins, source: Source, tiers: Sequence[str], problems: list[Problem]
) -> Mapping[str, Reference]:
    """The images by what they hold (backend, frontend); empty where a host makes Venom.

    One that the inventory does not name is the pinned one of the release: the backend's of the variant
    that has just these requirement tiers.
    """
    if source.kind != IMAGE:
        return {}
    given = settings.get("venom", "images", default={})
    found: dict[str, Reference] = {}
    for part, package in (("backend", _variant(tiers)), ("frontend", FRONTEND)):
        if part in given:
            found[part] = Reference.of(given[part])
            if not found[part].sha256:
                problems.append(settings.problem(("venom", "images", part), *without_digest(found[part])))
            continue
        if package in pins.images and source.release in pins.images[package]:
            found[part] = pins.images[package][source.release]
            continue
        wanted = f"{package} {source.release}" if package else f"a backend with {', '.join(tiers)}"
        allowed = f"an image of {wanted}, by digest"
        hint = f"write venom.images.{part}"
        if package:
            hint += f", or {package} under images in a file of pins"
        problems.append(settings.problem(("venom",), f"none for the {part}", allowed, hint))
    return found


def _variant(tiers: Sequence[str]) -> str:
    """The package whose backend has these requirement tiers; empty where none has."""
    return next((it.name for it in variants().values() if it.tiers == tuple(tiers)), "")


def _held_by_images(
    settings: Settings, pins: Pins, venom: Mapping[str, object], problems: list[Problem]
) -> Source | None:
    before = len(problems)
    for key in (it for it in _HELD if it in venom):
        found, allowed = f"{key} beside install: image", "release and images"
        hint = "the images contain the source: remove it; release says whose settings they understand"
        problems.append(settings.problem(("venom", key), found, allowed, hint))
    if settings.get("development") is not None:
        hint = "remove one of them: a tree needs the packages that a host installs"
        problems.append(
            settings.problem(("development",), "development beside install: image", "one of them", hint)
        )
    name = str(venom.get("release") or contract().release)
    _known(settings, pins, "release", name, problems)
    return Source(IMAGE, "", "", name) if len(problems) == before else None


def _known(settings: Settings, pins: Pins, key: str, name: str, problems: list[Problem]) -> None:
    if name in pins.releases:
        return
    hint = "it is not pinned: take one that is, or name its commit, or pin it in a file of pins"
    problems.append(settings.problem(("venom", key), f'"{name}"', listed(pins.releases), hint))
