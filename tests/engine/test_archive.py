"""What was once read out of a packed source holds as long as its file is the same, and no longer."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from engine.archive import Archive
from engine.refusal import RefusedError


def _pack(path: Path, **files: str) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))


def test_what_was_read_once_is_the_same_the_second_time(tmp_path: Path) -> None:
    path = tmp_path / "source.tar.gz"
    _pack(path, lock="one", readme="two")
    for _ in range(2):
        archive = Archive.at(path)
        assert archive.read("lock") == "one"
        assert archive.read("nothing") is None
    stored = path.with_name("source.tar.gz.json")
    stored.write_text(stored.read_text().replace('"one"', '"kept"'))
    assert Archive.at(path).read("lock") == "kept", "it is read from beside the archive"


def test_another_file_under_the_same_name_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "source.tar.gz"
    _pack(path, lock="one")
    before = Archive.at(path)
    assert before.read("lock") == "one"
    _pack(path, lock="other")
    after = Archive.at(path)
    assert (after.read("lock"), after.key == before.key) == ("other", False)


def test_an_archive_that_is_not_whole_is_refused_although_it_once_was(tmp_path: Path) -> None:
    path = tmp_path / "source.tar.gz"
    _pack(path, lock="one")
    Archive.at(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RefusedError, match=r"a whole source\.tar\.gz"):
        Archive.at(path)
