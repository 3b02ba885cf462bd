"""What the hosts of a run want of the store, told by each before the first of them changes anything.

A run prepares all hosts before it executes anything, so at that time every host of the run has told. What
hosts want that are not in this run, the store's host remembers of their last one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from engine import controller
from schemas.model import Secret
from schemas.plan import item as kinds
from schemas.plan.item import Item

# What hosts fetch. Source, uv and a built UI come to them over the connection of the run.
FETCHED = (kinds.FILE, kinds.MANIFEST, kinds.BLOB, kinds.IMAGE, kinds.PACKAGE, kinds.TARBALL)


@dataclass
class Wants:
    """What is wanted of one store, in this run."""

    by_host: dict[str, list[str]] = field(default_factory=dict)  # the ids of its items
    items: dict[str, dict[str, Any]] = field(default_factory=dict)  # by id, as the scripts read them
    newcomers: bool = False  # whether a host of this run is about to install Debian packages
    tokens: dict[str, Secret] = field(default_factory=dict)  # what a hub wants to see, by its URL
    guard: threading.Lock = field(default_factory=threading.Lock)

    def note(
        self,
        host: str,
        items: Sequence[Item],
        *,
        newcomer: bool = False,
        tokens: Mapping[str, Secret] = MappingProxyType({}),
    ) -> None:
        """Note what a host wants. `newcomer`: whether it lacks Debian packages; `tokens`: of hubs, by URL."""
        own = {it.id: it for it in fetched(items)}
        with self.guard:
            self.by_host[host] = list(own)
            self.newcomers |= newcomer
            self.tokens |= tokens
            self.items |= {name: asdict(it) for name, it in own.items() if name not in self.items}

    def note_absent(self, host: str, items_of: Callable[[str], Sequence[Item]]) -> None:
        """Note what a host wants that says nothing itself in this run, where that is known."""
        if host not in self.by_host and (found := items_of(host)):
            self.note(host, found)

    def request(self, hosts: Sequence[str]) -> dict[str, Any]:
        """What tend.py is asked. `hosts`: all that ask the store, in this run or not."""
        with self.guard:
            return {"items": dict(self.items), "wants": dict(self.by_host), "hosts": list(hosts)}


def wants_of(server: str) -> Wants:
    """What is wanted of the store that this host serves."""
    return controller.once(("store", server), Wants)


def fetched(items: Sequence[Item]) -> list[Item]:
    """Of these, what hosts fetch themselves. Debian's packages have no digest, but Debian's signature."""
    return [
        it
        for it in items
        if (it.kind in FETCHED and it.digests and not it.name.startswith("uv "))
        or (it.kind == kinds.DEBIAN and it.fits)
    ]


@dataclass(frozen=True)
class Fleet:
    """What the store's host has to know of others."""

    server: str  # its name in the inventory; empty: the store is another inventory's
    askers: Sequence[str]  # the hosts of the inventory that ask it
    items_of: Callable[[str], Sequence[Item]]  # of a host that is not in this run
    here: bool  # whether its host is in this run
    feeds: bool  # whether that has the Internet, or mirrors, to fill it from
    # Name and URL of the hosts of this run that pass large contents on, in the order of the inventory.
    peers: Sequence[tuple[str, str]] = ()


NOBODY = Fleet("", (), lambda _: (), here=False, feeds=False)


def lacking(items: Sequence[Item], coming: Mapping[str, Sequence[str]], held: str) -> list[Item]:
    """What of these a host is about to fetch, and a store does not hold.

    `coming`: what will come → the kinds and names of items that it brings. `held`: the store's list.
    """
    ids = {line.partition(" ")[0] for line in held.splitlines()}
    brought = {*coming, *(it for its in coming.values() for it in its)}
    return [it for it in fetched(items) if it.id not in ids and {it.kind, it.name} & brought]
