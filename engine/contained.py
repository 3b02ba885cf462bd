"""A service whose unit runs a container: the unit, and what it is started with in a file beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine import containers, paths, services
from engine.containers import Container
from engine.resources import Absent, Directory, File, Switchable
from engine.templates import render
from schemas.hardware import Engine


@dataclass(frozen=True)
class Contained:
    """Such a service. The container gets the variables of its unit by name."""

    container: Container
    engine: Engine
    environment: Mapping[str, str]  # of the unit
    loopback: bool = False  # whether all whom it asks, and who ask it, are on this host
    proxy: str = ""  # the digest of the host's way out

    @property
    def fingerprint(self) -> str:
        """Of the unit and the file beside it."""
        unit = containers.unit_text(self.container, self.engine)
        return services.fingerprint({"unit": unit, "environment": self._drop_in("")})

    @property
    def resources(self) -> list[Switchable]:
        """Both on a host."""
        path = _path(self.container.unit)
        return [
            *containers.resources(self.container, self.engine),
            Directory(path.rpartition("/")[0]),
            File(path, self._drop_in(self.fingerprint)),
        ]

    def _drop_in(self, fingerprint: str) -> str:
        return render(
            __file__,
            "drop_in.conf.j2",
            environment=self.environment,
            fingerprint=fingerprint,
            loopback=self.loopback,
            proxy=self.proxy,
        )


def absent(unit: str) -> list[Switchable]:
    """What a unit that runs no container has not."""
    return [*containers.absent(unit), Absent(_path(unit))]


def _path(unit: str) -> str:
    return f"{paths.UNITS}/{unit}.d/venom.conf"
