"""The manifest of a bundle: what is in it, for whom, of which digests. Pure; Python's own library only."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

from fleet.bundle.fault import BundleError

FORMAT = 1
NAME = "manifest.json"
CONTENT = "sha256"  # the folder of the contents in a tree
OURS = ".bundle"  # in a tree: what was filled last, and what is being filled
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Item:
    """One file of the store's tree."""

    name: str  # what it is, for people, e.g. "ollama 0.24.0"
    kind: str  # the store's word for it, e.g. "file", "package"
    sha256: str
    size: int  # bytes
    faces: tuple[str, ...]  # the paths under which the store has it, from its root
    origins: tuple[str, ...]  # URLs that it can be had from; none: it was made, not downloaded
    licence: str  # as its publisher names it; empty where that is not known
    hosts: tuple[str, ...]  # of the inventory that need it; none: the controller does
    packed: bool = True  # False: it lies in a bundle beneath this one

    @property
    def path(self) -> str:
        """Where its content lies, from the root: its faces are links to that."""
        return f"{CONTENT}/{self.sha256}"


@dataclass(frozen=True)
class Part:
    """One file of a bundle."""

    name: str
    sha256: str
    size: int  # bytes


@dataclass(frozen=True)
class Inventory:
    """The inventory whose plans a bundle serves."""

    name: str  # e.g. "office"
    sha256: str  # of its YAML file


@dataclass(frozen=True)
class Beneath:
    """The bundle that must be filled before this one."""

    sha256: str  # of its manifest
    created: str


@dataclass(frozen=True)
class Manifest:
    """All that a bundle says of itself."""

    inventory: Inventory
    created: str  # UTC, RFC 3339, whole seconds
    provisioner: str  # the commit of this repository that made it
    releases: tuple[str, ...]  # of Venom
    architectures: tuple[str, ...]  # Debian's names
    systems: tuple[str, ...]  # e.g. "debian 12"
    items: tuple[Item, ...]
    parts: tuple[Part, ...]  # of the archive of the tree, in their order
    others: tuple[Part, ...] = ()  # further files of the bundle: the bill of materials, and what reads it
    since: Beneath | None = None  # None: it needs no other
    lacks: tuple[str, ...] = ()  # what the hosts need besides, and must have from elsewhere
    format: int = field(default=FORMAT)

    @property
    def packed(self) -> tuple[Item, ...]:
        """The items that lie in this very bundle, in the archive's order."""
        return tuple(it for it in self.items if it.packed)

    @property
    def text(self) -> str:
        """As it is signed: the same bytes for the same manifest."""
        return json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    @property
    def sha256(self) -> str:
        """The digest that names this bundle."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read(text: bytes) -> Manifest:
    """The manifest in these bytes. Raises BundleError where that is none of a form that is known here."""
    try:
        data = json.loads(text)
        if data["format"] != FORMAT:
            raise BundleError(
                f"a bundle of format {FORMAT}",
                f"format {data['format']!r}",
                "fill it with the venom-bundle.pyz that lies in it",
            )
        return _manifest(data)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(
            f"a {NAME} of a bundle", f"another form ({type(error).__name__}: {error})", "make the bundle anew"
        ) from error


def _manifest(data: Mapping[str, Any]) -> Manifest:
    since = data["since"]
    manifest = Manifest(
        inventory=Inventory(_text(data["inventory"]["name"]), _digest(data["inventory"]["sha256"])),
        created=_time(data["created"]),
        provisioner=_text(data["provisioner"]),
        releases=_texts(data["releases"]),
        architectures=_texts(data["architectures"]),
        systems=_texts(data["systems"]),
        items=tuple(map(_item, _list(data["items"]))),
        parts=tuple(map(_part, _list(data["parts"]))),
        others=tuple(map(_part, _list(data["others"]))),
        since=since and Beneath(_digest(since["sha256"]), _time(since["created"])),
        lacks=_texts(data["lacks"]),
    )
    for what in ([it.path for it in manifest.items], [face for it in manifest.items for face in it.faces]):
        if len(set(what)) < len(what):
            raise ValueError("two items in one place")
    return manifest


def _item(data: Mapping[str, Any]) -> Item:
    return Item(
        name=_text(data["name"]),
        kind=_text(data["kind"]),
        sha256=_digest(data["sha256"]),
        size=_size(data["size"]),
        faces=tuple(map(_face, _texts(data["faces"]))),
        origins=_texts(data["origins"]),
        licence=_text(data["licence"]),
        hosts=_texts(data["hosts"]),
        packed=_truth(data["packed"]),
    )


def _part(data: Mapping[str, Any]) -> Part:
    name = _text(data["name"])
    if not _PART.fullmatch(name):
        raise ValueError(f"{name!r} is no file of a bundle")
    return Part(name, _digest(data["sha256"]), _size(data["size"]))


def _face(value: str) -> str:
    """A path that leads neither out of the tree nor to what is kept beside the faces."""
    path = PurePosixPath(value)
    sound = path.parts and not path.is_absolute() and ".." not in path.parts and "\0" not in value
    if not sound or str(path) != value or path.parts[0] in (CONTENT, OURS):
        raise ValueError(f"{value!r} is no path of a tree")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(_text, _list(value)))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _digest(value: Any) -> str:
    if not _DIGEST.fullmatch(_text(value)):
        raise ValueError(f"{value!r} is no sha256")
    return str(value)


def _time(value: Any) -> str:
    if not _TIME.fullmatch(_text(value)):
        raise ValueError(f"{value!r} is no time")
    return str(value)


def _size(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} is no size")
    return value
