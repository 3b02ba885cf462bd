"""The door's certificate: the operator's own, or one that the host makes for itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from engine import paths
from engine.jobs import Job
from engine.observation import Observed
from engine.resources import Absent, File, Switchable
from engine.services import fingerprint
from engine.templates import render
from schemas.model import Door

if TYPE_CHECKING:
    from roles.door.secrets import Revealed

# What browsers put up with.
DAYS = 825
# Raised when what is made changes, so that hosts make theirs anew.
RECIPE = "1"


@dataclass(frozen=True)
class Place:
    """Where certificate and key lie on the host; empty without TLS."""

    certificate: str = ""
    key: str = ""


def place(door: Door) -> Place:
    """Where nginx finds them."""
    if door.tls == "none":
        return Place()
    folder = paths.DOOR if door.tls == "own" else _folder(door)
    return Place(f"{folder}/certificate.pem", f"{folder}/key.pem")


def resources(door: Door, revealed: Revealed) -> list[Switchable]:
    """The operator's own on the host; what the host made for itself is a part in a store."""
    certificate, key = f"{paths.DOOR}/certificate.pem", f"{paths.DOOR}/key.pem"
    if door.tls != "own":
        return [Absent(certificate), Absent(key)]
    return [File(certificate, revealed.certificate), File(key, revealed.key, mode="0600")]


def job(door: Door) -> Job | None:
    """Makes certificate and key on the host, which the key never leaves. None where it needs none."""
    if door.tls != "self-made":
        return None
    script = render(
        __file__, "certificate.sh.j2", folder=_folder(door), days=DAYS, names=_subjects(door.names)
    )
    return Job(
        name="certificate",
        title="Certificate",
        key=fingerprint({"script": script})[:12],
        makes=_folder(door),
        script=script,
        expires=place(door).certificate,
    )


def store_paths(door: Door) -> tuple[str, ...]:
    """What of the stores a generation with this door needs."""
    return (_folder(door),) if door.tls == "self-made" else ()


def describe(door: Door, observed: Observed) -> str:
    """The certificate on a host, as whoever opens it sees it; empty without TLS."""
    have = observed.paths.get(place(door).certificate, {})
    if "fingerprint" not in have:
        return ""
    return f"certificate of the door: SHA-256 {have['fingerprint']}, valid for {have['days']} days"


def _folder(door: Door) -> str:
    return f"{paths.CERTIFICATES}/{fingerprint({'recipe': RECIPE, 'names': sorted(door.names)})[:12]}"


def _subjects(names: Sequence[str]) -> list[str]:
    return [f"IP:{name}" if _is_address(name) else f"DNS:{name}" for name in names]


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
