"""What the inventory says of a host's backups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.data.contract import contract
from schemas.declared.references import reference, secret_of
from schemas.model import Backup
from schemas.reading.inherit import Settings
from schemas.reading.problem import Problem

KEY = "backup"
# Of restic, and of all that speak S3.
_VARIABLES = {"access_key": "AWS_ACCESS_KEY_ID", "secret_key": "AWS_SECRET_ACCESS_KEY"}
SECRETS = ("password", *_VARIABLES)


def backup_of(settings: Settings, problems: list[Problem]) -> Backup | None:
    """The backups as declared; None where there are none, or where something is missing of them."""
    written: Mapping[str, Any] = settings.get(KEY, default={})
    # Where one is missing, that was reported already.
    if not {"repository", "password"} <= written.keys():
        return None
    repository: str = written["repository"]
    given = [name for name in _VARIABLES if name in written]
    if repository.startswith("s3:") and len(given) < len(_VARIABLES):
        found = f"s3: with {given[0]} only" if given else "s3: without access_key and secret_key"
        problems.append(settings.problem((KEY,), found, "s3: with both"))
    if given and not repository.startswith("s3:"):
        allowed = "access_key and secret_key with s3: only"
        problems.append(
            settings.problem((KEY, given[0]), f"{given[0]} of {repository}", allowed, "remove it")
        )
    return Backup(
        repository=repository,
        password=secret_of(written["password"], settings),
        access={_VARIABLES[name]: secret_of(written[name], settings) for name in given},
        keep=written.get("keep", contract().backup_keep),
        at=written.get("at", contract().backup_at),
    )


def backup_document(written: Mapping[str, Any], backup: Backup) -> dict[str, Any]:
    """What was written of it, with secrets as the references that are shown."""
    secrets = {"password": backup.password}
    secrets |= {name: backup.access[variable] for name, variable in _VARIABLES.items() if name in written}
    return {**written, **{name: reference(secret) for name, secret in secrets.items()}}
