"""Copies of what a service has written: whole, bounded, and put back as young as they were."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import remote
from engine.refusal import RefusedError
from engine.rollback import Kept, check_data, read_newer

DAY = 86400


@pytest.fixture
def snapshots(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The script that runs on the host."""
    monkeypatch.syspath_prepend(str(remote.SCRIPTS))
    yield importlib.import_module("snapshots")
    for name in ("snapshots", "switch_files"):
        sys.modules.pop(name, None)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """What a Venom has written: a memory of six days, a log, and a cache."""
    folder = tmp_path / "state"
    for name in ("data/memory/chats.json", "logs/venom.log", ".cache/model", "venom.env"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    (folder / "config").symlink_to("/opt/venom/current/source/config")
    os.utime(folder / "data/memory/chats.json", (time.time() - 6 * DAY,) * 2)
    return folder


def names(folder: Path) -> set[str]:
    return {str(it.relative_to(folder)) for it in folder.rglob("*") if not it.is_dir() or it.is_symlink()}


def test_a_copy_has_all_that_was_written_but_logs_and_caches(
    snapshots: Any, state: Path, tmp_path: Path
) -> None:
    root = tmp_path / "copies"
    copy = snapshots.take("g1", str(state), str(root))
    assert names(Path(copy + str(state))) == {"data/memory/chats.json", "venom.env", "config"}
    assert root.stat().st_mode & 0o777 == 0o700
    assert snapshots.all_of("g1", str(root)) == [copy]
    assert [it.name for it in root.iterdir()] == [Path(copy).name], "nothing half-made"


def test_what_comes_back_is_as_old_as_it_was_then_and_what_was_written_since_is_gone(
    snapshots: Any, state: Path, tmp_path: Path
) -> None:
    copy = Path(snapshots.take("g1", str(state), str(tmp_path / "copies")))
    made = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - 10 * DAY))
    old = copy.rename(copy.with_name(f"g1.{made}"))
    (state / "data/memory/chats.json").unlink()
    (state / "data/ruined").write_text("", encoding="utf-8")
    (state / "logs/venom.log").write_text("what happened", encoding="utf-8")
    snapshots.put_back(str(old), str(state))
    assert names(state) == {
        *("data/memory/chats.json", "venom.env", "config"),
        *("logs/venom.log", ".cache/model"),
    }
    assert (state / "logs/venom.log").read_text(encoding="utf-8") == "what happened"
    then = (old / str(state)[1:] / "data/memory/chats.json").stat().st_mtime
    assert (state / "data/memory/chats.json").stat().st_mtime == pytest.approx(then + 10 * DAY, abs=60)
    assert names(Path(str(old) + str(state))) == {"data/memory/chats.json", "venom.env", "config"}


def test_data_behind_a_link_of_the_operators_are_copied_and_put_back_there(
    snapshots: Any, state: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(state)
    copy = snapshots.take("g1", str(link), str(tmp_path / "copies"))
    (state / "venom.env").write_text("ruined", encoding="utf-8")
    snapshots.put_back(copy, str(link))
    assert link.is_symlink()
    assert (state / "venom.env").read_text(encoding="utf-8") == "venom.env"


def test_a_copy_that_the_disk_has_no_room_for_is_not_begun(
    snapshots: Any, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "copies"
    first = snapshots.take("g1", str(state), str(root))
    monkeypatch.setattr(snapshots, "clones", lambda *_: False)
    monkeypatch.setattr(snapshots, "size", lambda _: 1 << 60)
    with pytest.raises(snapshots.NoRoomError) as refused:
        snapshots.take("g2", str(state), str(root))
    assert [it[:8] for it in str(refused.value).splitlines()] == ["required", "found   ", "do      "]
    with pytest.raises(snapshots.NoRoomError):
        snapshots.put_back(first, str(state))
    assert [str(it) for it in root.iterdir()] == [first]
    assert "venom.env" in names(state)
    assert not list(state.rglob("*.part"))


def test_what_a_loss_of_power_left_between_the_renames_is_part_of_the_next_copy(
    snapshots: Any, state: Path, tmp_path: Path
) -> None:
    aside = state / ".replaced.part"
    aside.mkdir()
    (state / "venom.env").rename(aside / "venom.env")
    copy = snapshots.take("g1", str(state), str(tmp_path / "copies"))
    assert ".replaced.part/venom.env" in names(Path(copy + str(state)))


def test_of_each_kept_generation_the_newest_copy_stays_and_of_others_none(
    snapshots: Any, tmp_path: Path
) -> None:
    for name in ("g1.20261101T000000Z", "g1.20261102T000000Z", "g2.20261101T000000Z", "g3.20261101T000000Z"):
        (tmp_path / name).mkdir()
    (tmp_path / "g1.20261103T000000Z.part").mkdir()
    freed = snapshots.prune(["g1", "g3"], str(tmp_path))
    assert [Path(it).name for it in freed] == [
        *("g1.20261101T000000Z", "g1.20261103T000000Z.part", "g2.20261101T000000Z"),
    ]
    assert sorted(it.name for it in tmp_path.iterdir()) == ["g1.20261102T000000Z", "g3.20261101T000000Z"]


def test_what_was_written_since_is_listed_the_newest_first(
    snapshots: Any, state: Path, tmp_path: Path
) -> None:
    copy = snapshots.take("g1", str(state), str(tmp_path / "copies"))
    assert snapshots.newer(snapshots.made_at(copy), str(state)) == []
    later = time.time() + 60
    for number, name in enumerate(("data/memory/chats.json", "venom.env", "logs/venom.log")):
        os.utime(state / name, (later + number,) * 2)
    assert [it[2] for it in snapshots.newer(snapshots.made_at(copy), str(state))] == [
        "venom.env",
        "data/memory/chats.json",
    ]


def service(unit: str, code: str, settings: str, *, named: bool = True) -> dict[str, Any]:
    data = {"data": {"path": "/tmp", "code": code}} if named else {}
    return {"unit": unit, "fingerprint": f"u.{code}.{settings}", **data}


def generation(*services: dict[str, Any]) -> dict[str, Any]:
    return {"services": list(services)}


def test_only_what_goes_on_with_other_code_is_copied(snapshots: Any) -> None:
    switch_data = importlib.import_module("switch_data")
    try:
        now = generation(service("b", "1", "s"), {"unit": "ui", "fingerprint": "1"})
        assert switch_data.concerned(now, None) == []
        assert switch_data.concerned(generation(service("b", "1", "t")), now) == [], "other settings"
        assert switch_data.concerned(generation(service("b", "2", "s")), now) == [("b", "/tmp")]
        assert switch_data.concerned(now, now) == []
        assert switch_data.concerned(now, now, always=True) == [("b", "/tmp")]
        # An earlier provisioner's generation does not name the code: whatever restarts, may be another.
        former = generation(service("b", "1", "s", named=False))
        assert switch_data.concerned(now, former) == []
        assert switch_data.concerned(generation(service("b", "1", "t")), former) == [("b", "/tmp")]
        assert switch_data.concerned(former, generation(service("b", "2", "s"))) == [("b", "/tmp")]
    finally:
        for name in ("switch_data", "switch_services", "fingerprint", "hidden"):
            sys.modules.pop(name, None)


KEPT = Kept("g1", "Venom v1.6.0, light", "v1.6.0", "2026-11-28T08:00:00Z", False, "20261128T091200Z")
BARE = Kept("g2", "Venom v1.9.0, light", "v1.9.0", "2026-11-28T09:12:00Z", True, "")


def test_the_list_of_generations_says_which_have_data() -> None:
    assert str(KEPT).endswith("Venom v1.6.0, light  with data of 2026-11-28 09:12 UTC")
    assert str(BARE).endswith("(serves now)")


def test_a_generation_without_data_is_refused_and_those_with_data_are_listed() -> None:
    check_data(KEPT, [BARE, KEPT])
    with pytest.raises(RefusedError) as refused:
        check_data(BARE, [BARE, KEPT])
    (finding,) = refused.value.findings
    assert finding.found == str(KEPT)


def test_what_would_be_out_of_use_is_said_with_its_newest_files() -> None:
    text = '{"files": 7, "bytes": 120000, "newest": [[1795857120, 60000, "data/memory/chats.json"]]}'
    assert str(read_newer(text)).splitlines() == [
        "7 files were written since (120 kB), and would be out of use:",
        "    2026-11-28 09:12 UTC  data/memory/chats.json",
        "    and 6 more",
    ]
    assert str(read_newer('{"files": 0, "bytes": 0, "newest": []}')) == "nothing was written since"
