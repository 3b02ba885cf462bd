"""What an inventory may say of backups, and what of it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.inventory import InventoryError, load
from schemas.model import Backup, Secret


def declared(tmp_path: Path, section: str) -> Backup | None:
    path = tmp_path / "fleet.yaml"
    path.write_text(f"defaults: {{backup: {section}}}\nhosts: {{a: {{}}}}\n", encoding="utf-8")
    environ = {"PASSWORD": "correct horse", "KEY": "k"}
    return load(path, environ=environ).hosts[0].backup


def test_what_is_not_written_is_the_contracts(tmp_path: Path) -> None:
    assert declared(tmp_path, "{repository: /srv/backups/venom, password: 'env:PASSWORD'}") == Backup(
        repository="/srv/backups/venom",
        password=Secret("env", "PASSWORD"),
        access={},
        keep={"daily": 7, "weekly": 4, "monthly": 6},
        at="03:30",
    )


def test_keys_of_s3_become_what_restic_reads(tmp_path: Path) -> None:
    keys = "access_key: 'env:KEY', secret_key: 'env:KEY'"
    section = f"{{repository: 's3:https://s3.example.org/venom', password: 'env:PASSWORD', {keys}}}"
    backup = declared(tmp_path, section)
    assert backup
    assert set(backup.access) == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


@pytest.mark.parametrize(
    ("section", "path", "words"),
    [
        ("{repository: /srv/b}", "backup.password", "needs password"),
        ("{password: 'env:PASSWORD'}", "backup.repository", "needs repository"),
        ("{repository: backups, password: 'env:PASSWORD'}", "backup.repository", "a path of the host"),
        ("{repository: /srv/b, password: hunter2}", "backup.password", "file:PATH"),
        ("{repository: /srv/b, password: 'env:NOWHERE'}", "backup.password", "a variable that is set"),
        ("{repository: /srv/b, password: 'env:PASSWORD', at: '25:00'}", "backup.at", "e.g. 03:30"),
        ("{repository: /srv/b, password: 'env:PASSWORD', keep: {}}", "backup.keep", ""),
        ("{repository: 's3:https://h/b', password: 'env:PASSWORD'}", "backup", "with both"),
        (
            "{repository: /srv/b, password: 'env:PASSWORD', access_key: 'env:KEY'}",
            "backup.access_key",
            "with s3: only",
        ),
    ],
)
def test_what_cannot_work_is_refused_where_it_stands_and_without_a_secret(
    tmp_path: Path, section: str, path: str, words: str
) -> None:
    with pytest.raises(InventoryError) as refused:
        declared(tmp_path, section)
    (problem,) = refused.value.problems
    assert problem.path == f"defaults.{path}"
    assert words in problem.allowed
    assert "hunter2" not in str(refused.value)
