"""What serves the fleet's store on its host: an nginx of its own, as resources and as a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypedDict

from pyinfra.api.command import StringCommand

from engine import paths, remote
from engine.answers import data, understood
from engine.packages import FILL
from engine.refusal import Finding, RefusedError
from engine.resources import Absent, Directory, Enabled, File, Prerequisite, User
from engine.services import fingerprint
from engine.templates import render
from roles.store.scripts import faces
from roles.store.wants import Fleet, lacking
from schemas.model import ServedStore, Store
from schemas.plan.item import Item

SCRIPTS = Path(__file__).parent / "scripts"
# What its programs import of each other, each after what it imports itself.
TENDING = ("archive.py", "faces.py", "tree.py", "pages.py")
UNIT = "venom-store.service"
_FOLDER = f"{paths.ETC}/store"
CONFIGURATION = f"{_FOLDER}/nginx.conf"
TREE = f"{paths.STORE}/tree"
FINGERPRINT_AT = "/.well-known/venom-store"
USER = "venom-store"
# systemd makes both for a user that exists while the unit runs: the folder, and a link to it.
RECEIPTS = (
    Directory(f"/var/lib/private/{Path(paths.RECEIPTS).name}", mode="0700", ours=True),
    Absent(paths.RECEIPTS),
)
# Resident: nginx with two workers.
MEMORY_BYTES = int(0.03e9)


def prerequisites(served: ServedStore) -> list[Prerequisite]:
    """What the host that serves the store has for it."""
    return [
        *leftovers(),
        Directory(_FOLDER),
        File(CONFIGURATION, _configuration(served, _fingerprint(served))),
        File(f"{paths.UNITS}/{UNIT}", _unit(served)),
        Enabled(UNIT),
    ]


def leftovers() -> list[Prerequisite]:
    """What stays on a host that serves no store any more, until it is purged."""
    keeps = "what the fleet fetches"
    return [User(USER, paths.STORE), Directory(paths.STORE, owner=USER, keeps=keeps)]


def absent() -> tuple[Prerequisite, ...]:
    """What a host that serves none has not."""
    return (Absent(f"{paths.UNITS}/{UNIT}"), Absent(_FOLDER))


def _unit(served: ServedStore) -> str:
    receipts = Path(paths.RECEIPTS).name if served.pullers else ""
    return render(
        __file__,
        "venom-store.service.j2",
        configuration=CONFIGURATION,
        state=paths.STORE,
        receipts=receipts,
    )


def _configuration(served: ServedStore, mark: str) -> str:
    return render(
        __file__,
        "nginx.conf.j2",
        tree=TREE,
        port=served.port,
        **listening(served.allow_from),
        pullers=served.pullers,
        receipts=paths.RECEIPTS,
        types={faces.type_name(it): it for it in faces.MANIFEST_TYPES},
        fingerprint=mark,
    )


def listening(allow_from: Sequence[str]) -> dict[str, list[str]]:
    """Where an nginx listens and whom it answers: who may come, and the host itself, which asks by IPv4."""
    versions = {ip_network(it).version for it in allow_from}
    return {
        "addresses": ["0.0.0.0" if 4 in versions else "127.0.0.1", *(["[::]"] if 6 in versions else [])],
        "networks": ["127.0.0.1", *(["::1"] if 6 in versions else []), *allow_from],
    }


def _fingerprint(served: ServedStore) -> str:
    return fingerprint({"configuration": _configuration(served, ""), "unit": _unit(served)})


def store_command(served: ServedStore, *arguments: str) -> StringCommand:
    """A command that fails where the store does not serve as declared; `start`: it is started anew first."""
    return serve_command(UNIT, served.port, _fingerprint(served), *arguments)


def serve_command(unit: str, port: int, mark: str, *arguments: str) -> StringCommand:
    """The same for an nginx of ours that answers with this fingerprint."""
    url = f"http://127.0.0.1:{port}{FINGERPRINT_AT}"
    return remote.python("serve.py", "", SCRIPTS, arguments=(unit, url, mark, *arguments))


class _Holdings(TypedDict):
    """What free.py says."""

    items: int
    held: int
    missing: list[str]
    bytes: int
    hosts: dict[str, int]
    unneeded: int
    unneeded_bytes: int
    freed_bytes: int
    free: int


def holdings(served: ServedStore) -> dict[str, Any]:
    """What the store on the current host holds, for whom, and what nobody needs. Raises RefusedError.

    `trouble`: empty where it serves, else what stands against that.
    """
    command = remote.python("free.py", "", SCRIPTS, modules=TENDING)
    answer = remote.ask(command, timeout=300)
    if not answer.ok:
        raise RefusedError([Finding("a store that can be looked at", answer.stderr.strip()[-500:], "")])
    answered = understood("what the store holds", answer.stdout, lambda text: data(text, _Holdings))
    serves = remote.ask(store_command(served))
    held = {name: value for name, value in answered.items() if name != "freed_bytes"}
    return {**held, "trouble": "" if serves.ok else serves.stderr.strip() or "does not answer"}


def unfit(
    store: Store, fleet: Fleet, items: Sequence[Item], coming: Mapping[str, Sequence[str]]
) -> list[Finding]:
    """What a host without Internet is about to fetch that its store does not hold, each by its name."""
    if not coming or (fleet.here and fleet.feeds):
        return []
    answer = remote.ask(remote.shell("held.sh", store.url, folder=SCRIPTS))
    if not answer.ok and fleet.here:
        return []
    if not answer.ok:
        return [Finding(f"the fleet's store, {store.url}, which answers", answer.stderr.strip(), FILL)]
    missing = [it.name for it in lacking(items, coming, answer.stdout)]
    if not missing:
        return []
    return [
        Finding(
            f"in the store {store.url}, as the host has no Internet",
            f"not there: {', '.join(missing)}",
            FILL,
        )
    ]
