"""Backups: what is on the host for them, which one comes back, and what of a failure is reported."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.observation import Observed
from engine.refusal import RefusedError
from engine.resources import Absent, Enabled, File, Packages
from fleet.assessment import declared_of, possible_components
from roles.backup import deploy as backup
from roles.backup.running import Copy, choose, read_copies, summary
from roles.status.backups import Backups
from schemas.plan.show import describe, to_dict
from tests.roles.plans import INVENTORY, components_of, declared, plan

WITH = f"{INVENTORY}    backup: {{repository: /srv/backups/venom, password: env:BACKUPS, at: '04:15'}}\n"
PASSWORD = "correct horse"


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKUPS", PASSWORD)


def files(inventory: str) -> dict[str, File]:
    (found,) = (it for it in components_of(plan(inventory)) if it.name == "backup")
    return {it.path: it for it in found.prerequisites if isinstance(it, File)}


def test_a_host_without_backups_has_none_of_it() -> None:
    found = backup.component(plan())
    assert all(isinstance(it, Absent) for it in found.prerequisites)
    assert not found.unit
    assert "backup" not in to_dict(plan())


def test_a_host_with_backups_has_restic_a_timer_and_a_password_that_only_root_reads(password: None) -> None:
    found = backup.component(plan(WITH))
    assert [it.names for it in found.prerequisites if isinstance(it, Packages)] == [("restic",)]
    assert Enabled("venom-backup.timer", now=True) in found.prerequisites
    secret = [it for it in files(WITH).values() if PASSWORD in it.content]
    assert [(it.path, it.mode) for it in secret] == [("/etc/venom/backup/environment", "0600")]
    assert "OnCalendar=*-*-* 04:15:00" in files(WITH)["/etc/systemd/system/venom-backup.timer"].content
    assert json.loads(files(WITH)["/etc/venom/backup/plan.json"].content)["keep"] == {
        **{"daily": 7, "weekly": 4, "monthly": 6}
    }
    assert PASSWORD not in json.dumps(to_dict(plan(WITH))) + describe(plan(WITH))


def test_removal_knows_them_whatever_the_inventory_says_and_without_the_password() -> None:
    for inventory in (INVENTORY, WITH):
        listed = declared_of(possible_components(declared(inventory)))
        assert Absent("/etc/systemd/system/venom-backup.timer") in listed
        assert Packages(("restic",)) in listed


def test_backups_restart_nothing(password: None) -> None:
    without, having = (
        [it for one in components_of(plan(inventory)) for it in (*one.resources, one.service)]
        for inventory in (INVENTORY, WITH)
    )
    assert without == having


def test_a_timer_that_somebody_stopped_is_a_difference() -> None:
    timer = Enabled("venom-backup.timer", now=True)
    stopped = {"venom-backup.timer": {"UnitFileState": "enabled", "ActiveState": "inactive"}}
    assert timer.differs(Observed(units=stopped)) == "is not started"
    runs = {"venom-backup.timer": {"UnitFileState": "enabled", "ActiveState": "active"}}
    assert timer.differs(Observed(units=runs)) == ""


def test_the_program_is_whole_python_with_all_that_it_imports(password: None) -> None:
    text = files(WITH)[backup.PROGRAM].content
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", "import sys; compile(sys.stdin.read(), 'backup.py', 'exec')"],
        input=text,
        text=True,
        check=False,
    )
    assert done.returncode == 0


OLD = Copy("aaaa1111", "2026-11-26T03:30:00Z", "box")
NEW = Copy("aaaa2222", "2026-11-27T03:30:00Z", "box")
OTHER = Copy("bbbb3333", "2026-11-28T03:30:00Z", "other")


def test_the_last_backup_of_the_host_comes_back_or_the_named_one() -> None:
    assert choose([OLD, NEW, OTHER], "box", "") == NEW
    assert choose([OLD, NEW, OTHER], "other", "") == OTHER
    assert choose([OLD, NEW, OTHER], "box", "bbbb") == OTHER


@pytest.mark.parametrize(("of", "wanted"), [("new", ""), ("box", "aaaa"), ("box", "cccc")])
def test_no_backup_of_the_host_or_several_of_the_name_are_refused_with_what_there_is(
    of: str, wanted: str
) -> None:
    with pytest.raises(RefusedError) as refused:
        choose([OLD, NEW, OTHER], of, wanted)
    (finding,) = refused.value.findings
    assert "bbbb3333  2026-11-28 03:30 UTC  other" in finding.found
    assert "--data from=HOST" in str(finding)


def test_the_list_of_backups_is_read_by_its_form() -> None:
    text = '[{"id": "aaaa1111", "time": "2026-11-26T03:30:00Z", "host": "box"}]'
    assert read_copies(text) == [OLD]


def test_the_end_of_a_backup_says_how_long_the_backend_stood_still() -> None:
    record = {"id": "aaaa1111", "bytes": 1_200_000, "repository": "/srv/b", "copies": 7}
    assert summary(json.dumps({**record, "quiet_seconds": 1.24, "seconds": 8})) == (
        "backup aaaa1111: 1.2 MB at /srv/b, 7 kept\nthe backend stood still for 1.2 s of 8.0 s"
    )


# -- status ------------------------------------------------------------------------------------------

NOW = 1795857120  # 2026-11-28 09:12 UTC
PLAN = {"backup": {"repository": "/srv/backups/venom"}}
GOOD = {"at": "2026-11-28T03:30:00Z", "ok": True, "last_success": "2026-11-28T03:30:00Z", "copies": 7}


def test_status_says_when_the_last_backup_was_made() -> None:
    found = Backups.of(GOOD, PLAN, NOW)
    assert found
    assert found.rows() == ["2026-11-28 03:30 UTC, 7 at /srv/backups/venom"]
    assert not found.differences()
    assert Backups.of(GOOD, {}, NOW) is None
    none_yet = Backups.of({}, PLAN, NOW)
    assert none_yet
    assert none_yet.rows() == ["none yet, to /srv/backups/venom"]
    assert not none_yet.differences()


def test_a_backup_that_failed_or_did_not_run_is_drift() -> None:
    worse = {"ok": False, "at": "2026-11-28T04:00:00Z", "error": "required  a\nfound  b"}
    failed = Backups.of({**GOOD, **worse}, PLAN, NOW)
    assert failed
    assert [str(it) for it in failed.differences()] == [
        "the backup: failed at 2026-11-28 04:00 UTC: required a found b"
    ]
    late = Backups.of(GOOD, PLAN, NOW + 3 * 86400)
    assert late
    assert [str(it) for it in late.differences()] == ["the backup: none since 2026-11-28 03:30 UTC"]


# -- restic's answers --------------------------------------------------------------------------------


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """The script that runs on the host, with a plan of its own."""
    monkeypatch.syspath_prepend(str(backup.SCRIPTS))
    module = importlib.import_module("repository")
    where = tmp_path / "plan.json"
    where.write_text(json.dumps({"repository": "/srv/backups/venom"}), encoding="utf-8")
    monkeypatch.setattr(module, "SETTINGS", str(where))
    yield module
    sys.modules.pop("repository", None)


def test_what_restic_says_of_a_full_disk_becomes_room_that_is_missing(repository: Any) -> None:
    done = subprocess.CompletedProcess([], 1, "", "Fatal: unable to save snapshot: no space left on device\n")
    assert str(repository.fault("a backup", done)).splitlines() == [
        "required  room in /srv/backups/venom, or for what is written",
        "found     Fatal: unable to save snapshot: no space left on device",
        "do        free some space there; then run again",
    ]


@pytest.mark.parametrize(
    "words",
    [  # of restic 0.14 and an S3 server, for a wrong secret_key and a wrong access_key
        "The request signature we calculated does not match the signature you provided. Check your key and"
        " signing method.",
        "The AWS Access Key Id you provided does not exist in our records.",
    ],
)
def test_keys_that_s3_does_not_take_are_named(repository: Any, words: str) -> None:
    where = "s3:https://s3.example.org/venom"
    Path(repository.SETTINGS).write_text(json.dumps({"repository": where}), encoding="utf-8")
    last = f"Fatal: create repository at {where} failed: client.BucketExists: {words}"
    done = subprocess.CompletedProcess([], 1, "", f"{last}\n")
    assert str(repository.fault("a place where a repository can be made", done)).splitlines() == [
        f"required  keys that may write to {where} (backup.access_key, backup.secret_key)",
        f"found     {last}",
        "do        check the references, and what the keys may do there",
    ]


def test_a_place_that_holds_something_else_or_whose_disk_is_away_is_refused(
    repository: Any, tmp_path: Path
) -> None:
    with pytest.raises(repository.Fault, match=r"required  the folder .*/disk, in which the repository lies"):
        repository.check_place(str(tmp_path / "disk" / "venom"))
    half = tmp_path / "venom"
    (half / "keys").mkdir(parents=True)
    with pytest.raises(repository.Fault, match="keys without config: half-made"):
        repository.check_place(str(half))
    (half / "keys").rmdir()
    repository.check_place(str(half))
