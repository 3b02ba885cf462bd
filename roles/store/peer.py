"""What a host passes on of the store's large contents, as a component: an nginx over one folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from engine import outcome, paths, remote
from engine.component import Component, Port
from engine.operations import Commands, fail
from engine.pieces import Passing, places_of
from engine.refusal import Finding
from engine.resources import Absent, Directory, Enabled, File, Prerequisite
from engine.services import fingerprint
from engine.templates import render
from roles.store.server import MEMORY_BYTES, listening, serve_command
from roles.store.wants import Fleet
from schemas.model import HostPlan, Peer
from schemas.plan import item as kinds
from schemas.plan.item import Item

UNIT = "venom-peer.service"
_FOLDER = f"{paths.ETC}/peer"
_CONFIGURATION = f"{_FOLDER}/nginx.conf"


def passing(plan: HostPlan, fleet: Fleet, items: Callable[[], Sequence[Item]]) -> Passing | None:
    """What a host gets from others and passes on; None where it does neither. `items`: what it needs.

    It is Ollama's archive and the model's layer: what is small costs the store little.
    """
    if not (plan.peer and plan.store):
        return None
    archive = plan.ollama.artifact if plan.ollama else None
    layer = next((it.content.rpartition("/")[2] for it in items() if it.kind == kinds.BLOB), "")
    places = places_of(plan.host, fleet.peers, plan.store.url)
    return Passing(places, archive.sha256 if archive else "", layer)


def component(plan: HostPlan, passed: Passing | None) -> Component:
    """The nginx that passes on; absent where the inventory wants none, and so is what it passed on."""
    peer = plan.peer
    if peer is None or passed is None:
        gone = (f"{paths.UNITS}/{UNIT}", _FOLDER, paths.PEER)
        return Component(name="peer", prerequisites=tuple(map(Absent, gone)))
    return Component(
        name="peer",
        prerequisites=tuple(_prerequisites(peer)),
        work=lambda _name, _observed: _Serving(peer, passed),
        unit=UNIT,
        apart=True,
        ports=(Port(peer.port, "what is passed on", "store.port", exposed=True),),
        memory=MEMORY_BYTES,
    )


def _prerequisites(peer: Peer) -> list[Prerequisite]:
    return [
        Directory(paths.PEER, ours=True),
        Directory(_FOLDER),
        File(_CONFIGURATION, _configuration(peer, _fingerprint(peer))),
        File(f"{paths.UNITS}/{UNIT}", _unit()),
        Enabled(UNIT),
    ]


def _unit() -> str:
    return render(__file__, "venom-peer.service.j2", configuration=_CONFIGURATION, state=paths.PEER)


def _configuration(peer: Peer, mark: str) -> str:
    return render(
        __file__,
        "peer.conf.j2",
        folder=paths.PEER,
        port=peer.port,
        **listening(peer.allow_from),
        fingerprint=mark,
    )


def _fingerprint(peer: Peer) -> str:
    return fingerprint({"configuration": _configuration(peer, ""), "unit": _unit()})


@dataclass(frozen=True)
class _Serving:
    """What a run does for it: let it serve, before any host fetches."""

    peer: Peer
    passed: Passing

    def begin(self) -> None:
        """Let it serve, and only what is needed."""
        peer_cleared(name="Peer | clear", passed=self.passed)
        peer_served(name="Peer | serve", peer=self.peer)

    def end(self) -> None:
        """It serves."""

    def share(self) -> None:
        """The same on a host that is as declared: others of the run may want what it has."""
        peer_served(name="Peer | serve", peer=self.peer)


@operation()
def peer_cleared(passed: Passing) -> Commands:
    """
    Free what the host passes on no more: weights that are purged would keep their room under that name.

    + passed: what it passes on
    """
    there = remote.ask(StringCommand("ls", paths.PEER)).stdout.split()
    unneeded = [it for it in there if it not in (passed.archive, passed.layer)]
    if not unneeded:
        host.noop("nothing is there but what it passes on")
        return
    yield StringCommand("rm", "-f", *(f"{paths.PEER}/{it}" for it in unneeded))


@operation()
def peer_served(peer: Peer) -> Commands:
    """
    Let the host pass on what it has.

    + peer: where, and for whom
    """
    if remote.ask(_serve(peer)).ok:
        host.noop("it serves what it passes on")
        return
    yield FunctionCommand(_start, (peer,), {})


def _start(state: Any, host: Any, peer: Peer) -> bool:
    answer = remote.ask(_serve(peer, "start"), timeout=60)
    if not answer.ok:
        log = f"{answer.stderr.strip()}\n{remote.journal(UNIT)}"
        return fail(state, host, Finding(f"an nginx that passes on, {UNIT}", log))
    outcome.did(host.name, "started", "Peer")
    return True


def _serve(peer: Peer, *arguments: str) -> Any:
    return serve_command(UNIT, peer.port, _fingerprint(peer), *arguments)
