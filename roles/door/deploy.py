"""The door as resources and as a service: nginx's site, its passwords and certificate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from engine import paths, remote
from engine.component import Component, Port
from engine.observation import Observed
from engine.operations import Commands
from engine.refusal import Finding
from engine.resources import Absent, Directory, Diverted, Enabled, File, Prerequisite, Switchable
from engine.services import Reloads, Service, fingerprint
from roles.door import certificate, site
from roles.door.secrets import Revealed
from roles.door.site import Inner
from schemas.model import Door

USERS = f"{paths.DOOR}/users"
# Debian's workers run as this user; the passwords are read by them, the key by their master, root.
WORKER = "www-data"
TEST = ("nginx", "-t", "-q")


def prerequisites() -> list[Prerequisite]:
    """What is out of the way on every host: the page that the distribution serves to everybody."""
    enabled = "/etc/nginx/sites-enabled/default"
    return [Diverted(enabled, "nginx-common", f"{paths.ETC}/nginx-default-site")]


def resources(door: Door, inner: Inner, secrets: Revealed) -> list[Switchable]:
    """What the door has on the host.

    `inner`: what it leads to; `secrets`: what its references have revealed.
    """
    text = _site(door, inner, _fingerprint(door, inner, secrets))
    return [
        Directory(paths.DOOR),
        File(USERS, secrets.users, owner=WORKER, mode="0400") if secrets.users else Absent(USERS),
        *certificate.resources(door, secrets),
        File(paths.SITE, text),
        Enabled(paths.NGINX),
    ]


def service(door: Door, inner: Inner, secrets: Revealed) -> Service:
    """The door as a running service, and the fingerprint of all that it depends on."""
    scheme = "http" if door.tls == "none" else "https"
    return Service(
        unit=paths.NGINX,
        title="Door",
        fingerprint=_fingerprint(door, inner, secrets),
        url=f"{scheme}://127.0.0.1:{door.port}{site.FINGERPRINT_AT}",
        ready_timeout=15,
        reloads=Reloads(TEST, paths.SITE, certificate.place(door).certificate, site.listens(door)),
    )


def _fingerprint(door: Door, inner: Inner, secrets: Revealed) -> str:
    return fingerprint({"site": _site(door, inner, ""), "secrets": asdict(secrets)})


def _site(door: Door, inner: Inner, fingerprint: str) -> str:
    place = certificate.place(door)
    users = USERS if door.users else ""
    return site.text(door, inner, fingerprint, certificate=place.certificate, key=place.key, users=users)


def opened(door: Door, address: str, login: str) -> str:
    """What the operator has to open, at the host's address in the inventory.

    `login`: what is added to `ssh` for a login to the host.
    """
    scheme, usual = ("http", 80) if door.tls == "none" else ("https", 443)
    if door.exposure == "lan":
        port = "" if door.port == usual else f":{door.port}"
        return f"open {scheme}://{door.names[1] if address != '@local' else 'localhost'}{port}"
    if address == "@local":
        return f"open {scheme}://127.0.0.1:{door.port}"
    # On a private address with another port than 8000 Venom's UI looks for its WebSocket on port 8000.
    tunnel = f"ssh -N -L 8000:127.0.0.1:{door.port} {login}"
    return f"open {scheme}://127.0.0.1:8000 while this runs: {tunnel}"


def component(
    door: Door, inner: Inner, secrets: Revealed, unfit: Callable[[Service, Observed], Sequence[Finding]]
) -> Component:
    """The one way in. `unfit`: what a host's own nginx has against this service."""
    made = certificate.job(door)
    ports = [Port(door.port, "the door", "door.port", exposed=door.exposure == "lan")]
    if door.ollama:
        ports.append(Port(door.ollama.port, "clients of Ollama", "door.ollama.port", exposed=True))
    serves = service(door, inner, secrets)
    return Component(
        name="door",
        prerequisites=tuple(prerequisites()),
        resources=tuple(resources(door, inner, secrets)),
        jobs=(made,) if made else (),
        service=serves,
        unit=paths.NGINX,
        ports=tuple(ports),
        store_paths=certificate.store_paths(door),
        unfit=lambda observed: unfit(serves, observed),
        concerns=("door.",),
    )


@operation()
def nginx_state_recorded(observed: Observed) -> Commands:
    """
    Note how nginx was on this host before us: removal leaves it so.

    + observed: what the host has
    """
    if observed.there(paths.NGINX_BEFORE):
        host.noop("it was recorded")
        return
    state = observed.units.get(paths.NGINX, {}).get("UnitFileState", "") or "absent"
    yield StringCommand("install", "-d", "-m", "0755", paths.ETC)
    yield remote.shell("put.sh", paths.NGINX_BEFORE, "root", "0644", stdin=f"{state}\n")
