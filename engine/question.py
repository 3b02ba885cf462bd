"""What a host is asked, so that everything that is declared of it is observed in one round trip.

Runs on the controller; the host only reads for its answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine import paths
from engine.observation import Observed, Question, observe
from engine.resources import Directory, Diverted, Enabled, EnvFile, Packages, Resource, User
from engine.services import Service


def observe_host(
    declared: Sequence[Resource],
    store_paths: Iterable[str],
    units: Iterable[str],
    services: Sequence[Service] = (),
) -> Observed:
    """How all of this, and what every host has of ours, stands on the current host."""
    return observe(question_about(declared, store_paths, units, services))


def question_about(
    declared: Sequence[Resource],
    store_paths: Iterable[str],
    units: Iterable[str],
    services: Sequence[Service],
) -> Question:
    """All that a host is asked in order to know that."""
    doors = {it.url: it.reloads.certificate for it in services if it.reloads}
    diverted = [it for it in declared if isinstance(it, Diverted)]
    return Question(
        paths=[
            *(path for it in declared if (path := getattr(it, "path", ""))),
            *store_paths,
            *(
                paths.MARK,
                paths.OPT,
                paths.CA_CERTIFICATES,
                f"{paths.GENERATIONS}/current",
                paths.NGINX_BEFORE,
            ),
            *(it.to for it in diverted),
        ],
        folders=[it.path for it in declared if isinstance(it, Directory) and (it.ours or it.keeps)],
        env_files=[it.path for it in declared if isinstance(it, EnvFile)],
        units=[
            *(it.unit for it in declared if isinstance(it, Enabled)),
            *units,
            *(it.model.checked_by for it in services if it.model and it.model.checked_by),
        ],
        users=[it.name for it in declared if isinstance(it, User)],
        packages=[
            *(name for it in declared if isinstance(it, Packages) for name in it.names),
            *(it.package for it in diverted),
        ],
        links={it.path: it.package for it in diverted},
        certificates=[it for it in doors.values() if it],
        doors=doors,
        services=[it.url for it in services if not it.reloads],
        manifests=paths.MANIFESTS,
        receipt=paths.RECEIPT,
    )
