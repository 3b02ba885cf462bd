"""What a unit that runs a container is started with, in a file beside it; the container gets it by name."""

from __future__ import annotations

from collections.abc import Mapping

from engine import paths
from engine.resources import Absent, Directory, File, Switchable
from engine.templates import render


def text(environment: Mapping[str, str], fingerprint: str, *, loopback: bool = False, proxy: str = "") -> str:
    """The drop-in's text. `loopback`: whom it asks, and who asks it, is on this host. `proxy`: its digest."""
    return render(
        __file__,
        "drop_in.conf.j2",
        environment=environment,
        fingerprint=fingerprint,
        loopback=loopback,
        proxy=proxy,
    )


def drop_in(
    unit: str,
    environment: Mapping[str, str],
    fingerprint: str,
    *,
    loopback: bool = False,
    proxy: str = "",
) -> list[Switchable]:
    """The drop-in of a unit on a host."""
    folder = f"{paths.UNITS}/{unit}.d"
    content = text(environment, fingerprint, loopback=loopback, proxy=proxy)
    return [Directory(folder), File(_path(unit), content)]


def absent(unit: str) -> list[Switchable]:
    """What a unit that runs no container has not."""
    return [Absent(_path(unit))]


def _path(unit: str) -> str:
    return f"{paths.UNITS}/{unit}.d/venom.conf"
