"""The fleet's store as a component: who serves it, how it is filled, and what a host has against it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypedDict

from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from engine import jobs, outcome, paths, remote
from engine.answers import data, understood
from engine.component import Component, Need, Port
from engine.jobs import Job
from engine.observation import Observed
from engine.operations import Commands, fail, log_line, record
from engine.packages import FILL
from engine.refusal import Finding, RefusedError
from engine.resources import sha256
from engine.secrets import reveal
from roles.store import server
from roles.store.server import (
    MEMORY_BYTES,
    RECEIPTS,
    SCRIPTS,
    TENDING,
    TREE,
    UNIT,
    absent,
    holdings,
    leftovers,
    prerequisites,
    store_command,
)
from roles.store.wants import NOBODY, Fleet, fetched, wants_of
from schemas.model import HostPlan, ServedStore
from schemas.plan.item import Item
from schemas.plan.tree import tokens_of

DEBIAN = "Debian packages"  # what comes to a host that lacks some
# What hubs want to see, by their URLs: there while the job runs.
TOKENS = f"{paths.CACHE}/store-tokens.json"
MODULES = (*TENDING, "receive.py", "wheels.py", "apt.py")


def component(
    plan: HostPlan,
    fleet: Fleet = NOBODY,
    items: Callable[[], Sequence[Item]] = tuple,
    coming: Callable[[Observed], Mapping[str, Sequence[str]]] = lambda _observed: {},
) -> Component:
    """The store on the host that serves it, and the wait for it on those that ask it.

    `items`: what this host wants of it; `coming`: what will come to it → the items that this brings.
    """
    served = plan.serves_store
    room = tuple(_needs(items())) if served and plan.store else ()

    def work(name: str, observed: Observed) -> _Filling:
        if name in fleet.askers:
            newcomer = not served and DEBIAN in coming(observed)
            wants_of(fleet.server).note(name, items(), newcomer=newcomer, tokens=tokens_of(plan))
        for puller in served.pullers if served else ():
            # It may be in no run at all: what it is about to fetch, its inventory says.
            wants_of(fleet.server).note_absent(puller.name, fleet.items_of)
        return _Filling(fleet, served)

    def unfit(_observed: Observed) -> Sequence[Finding]:
        store = plan.store
        return server.unfit(store, fleet, items(), coming(_observed)) if store and store.closed else ()

    return Component(
        name="store",
        prerequisites=tuple(prerequisites(served)) if served else absent(),
        leftovers=(*RECEIPTS, *(() if served else leftovers())),
        feeds=True,
        work=work if fleet.server else None,
        unit=UNIT if served else "",
        apart=True,
        ports=(Port(served.port, "the fleet's store", "store.port", exposed=True),) if served else (),
        looked_at=tuple(path for it in room for path in it.unless),
        needs=room,
        memory=MEMORY_BYTES if served else 0,
        unfit=unfit,
    )


def _needs(items: Sequence[Item]) -> list[Need]:
    """Room for what its own host needs of it; for the rest of the fleet the job asks."""
    return [
        Need(f"{it.name}, in the store", {f"{TREE}/{it.content}": ""}, {paths.STORE: it.size})
        for it in fetched(items)
        if it.content and it.size
    ]


@dataclass(frozen=True)
class _Filling:
    """What a run does for the store: its host fills it, and all others wait for that."""

    fleet: Fleet
    served: ServedStore | None  # None: another host serves it

    def begin(self) -> None:
        """Fill it: what is fetched next may be fetched from there."""
        store_filled(name="Store | fill", filling=self)

    def end(self) -> None:
        """It is filled."""

    def share(self) -> None:
        """The same on a host that is as declared: others of the run may want what it lacks."""
        store_filled(name="Store | fill", filling=self)


@operation()
def store_filled(filling: _Filling) -> Commands:
    """
    Let the store serve, and hold what the hosts of the inventory need; on others, wait for that.

    + filling: whose store it is
    """
    if filling.served is None:
        host.noop(f"{filling.fleet.server} serves the store")
        return
    if _is_filled(filling, filling.served):
        host.noop("the store serves, and holds what is needed")
        return
    yield FunctionCommand(_fill, (filling, filling.served), {})


class _Stand(TypedDict):
    """What tend.py says. `stale`: Debian may have newer packages than the store."""

    unknown: list[str]
    missing: list[str]
    stale: bool
    unlisted: int  # contents without a list of their pieces, by which hosts pass them on
    ids: list[str]
    recorded: bool


def _is_filled(filling: _Filling, served: ServedStore) -> bool:
    """Whether nothing is to be done; nothing is changed to find out."""
    if not remote.ask(store_command(served)).ok:
        return False
    try:
        stand = _tended(filling, note=False)
    except RefusedError:
        return False
    due = stand["missing"] or stand["unknown"] or _unlisted(filling, stand) or _renews(filling, stand)
    return stand["recorded"] and not due


def _renews(filling: _Filling, stand: _Stand) -> bool:
    """Whether Debian is asked again: who installs packages today gets those of today."""
    return stand["stale"] and filling.fleet.feeds and wants_of(filling.fleet.server).newcomers


def _unlisted(filling: _Filling, stand: _Stand) -> int:
    """How many lists of pieces are to be made: where nothing is passed on, nobody reads them."""
    return stand["unlisted"] if filling.fleet.peers else 0


def _fill(state: Any, host: Any, filling: _Filling, served: ServedStore) -> bool:
    answer = remote.ask(store_command(served, "start"), timeout=60)
    if not answer.ok:
        log = f"{answer.stderr.strip()}\n{remote.journal(UNIT)}"
        return fail(state, host, Finding(f"a store that serves, {UNIT}", log))
    if answer.stdout.strip():
        outcome.did(host.name, "started", "Store")
    try:
        stand = _recorded(filling)
        tokens = reveal(wants_of(filling.fleet.server).tokens)
    except RefusedError as refusal:
        return fail(state, host, *refusal.findings)
    unlisted, renews = _unlisted(filling, stand), _renews(filling, stand)
    if not (stand["missing"] or unlisted or renews):
        return True
    if stand["missing"] and not filling.fleet.feeds:
        lacks = Finding(
            "in the store, whose host has no Internet (internet: false)",
            f"not there: {', '.join(stand['missing'])}",
            FILL,
        )
        return fail(state, host, lacks)
    host.log(f"store: {len(stand['missing'])} to fetch of {len(stand['ids'])}, {unlisted} to be listed")
    if tokens:
        remote.ask(remote.shell("put.sh", TOKENS, "root", "0600", stdin=json.dumps(tokens)))
    if not jobs.run_here(state, host, fill_job(stand["ids"])):
        return False
    if stand["missing"] or renews:
        came = f"{len(stand['missing'])} items" if stand["missing"] else "what Debian has now"
        outcome.did(host.name, "fetched", f"{came} for the store")
    return True


def _recorded(filling: _Filling) -> _Stand:
    """Note at the store what is wanted of it, and hear what it lacks. Raises RefusedError."""
    stand, wants = _tended(filling, note=True), wants_of(filling.fleet.server)
    # Hosts that were in no run before this one, and are not in this.
    for name in stand["unknown"]:
        wants.note(name, filling.fleet.items_of(name))
    return _tended(filling, note=True) if stand["unknown"] else stand


def _tended(filling: _Filling, *, note: bool) -> _Stand:
    request = json.dumps(wants_of(filling.fleet.server).request(filling.fleet.askers))
    arguments = ("note",) if note else ()
    command = remote.python("tend.py", request, SCRIPTS, arguments=arguments, modules=TENDING)
    answer = remote.ask(command, timeout=300)
    if not answer.ok:
        raise RefusedError([Finding("a store that can be looked at", answer.stderr.strip()[-500:], "")])
    return understood("what the store lacks", answer.stdout, lambda text: data(text, _Stand))


def fill_job(ids: Sequence[str]) -> Job:
    """Fetches what is wanted and not held. `ids`: of all that is wanted."""
    key = sha256("\n".join(ids))[:12]
    text = remote.program("fill.py", MODULES, SCRIPTS)
    stamp = f"{paths.STORE}/filled-{key}"
    run = f"{remote.PYTHON} -I -S - {shlex.quote(stamp)} {TOKENS} <<'PYTHON'\n{text}\nPYTHON\n"
    script = f"trap 'rm -f {TOKENS}' EXIT\n{run}"
    return Job(name="store", title="Store", key=key, makes=stamp, script=script)


@operation()
def store_purged(plan: HostPlan) -> Commands:
    """
    Free what the store holds and no host of the inventory needs.

    + plan: whether this host serves one
    """
    if plan.serves_store is None:
        host.noop("no store here")
        return
    with suppress(RefusedError):
        if not holdings(plan.serves_store)["unneeded"]:
            host.noop("the store holds nothing that nobody needs")
            return
    yield log_line("the store: what nobody needs goes")
    yield remote.python("free.py", "", SCRIPTS, arguments=("purge",), modules=TENDING)
    yield record("freed", "what nobody needs in the store")
