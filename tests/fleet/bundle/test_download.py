"""A download is there with its digest or not at all, whatever places and lines do."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.bundle.download import Session, fetch, hexes
from fleet.bundle.fault import BundleError
from tests.fleet.bundle.places import Places, places

CONTENT = bytes(range(256)) * 9000
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@pytest.fixture
def held() -> Iterator[Places]:
    """Places with one file."""
    with places() as found:
        found.put("file", CONTENT)
        yield found


def _fetch(held: Places, to: Path, *paths: str, digest: str = DIGEST) -> Path:
    return fetch(Session(), "the file", [f"{held.url}/{it}" for it in paths], digest, to)


def test_a_download_has_its_name_once_its_digest_is_right(held: Places, tmp_path: Path) -> None:
    assert _fetch(held, tmp_path / "kept", "file").read_bytes() == CONTENT
    assert [it.name for it in tmp_path.iterdir()] == ["kept"]


def test_what_is_there_is_not_asked_for(held: Places, tmp_path: Path) -> None:
    _fetch(held, tmp_path / "kept", "file")
    _fetch(held, tmp_path / "kept", "file")
    assert held.requests["file"] == 1


def test_the_next_place_is_asked_where_one_has_nothing(held: Places, tmp_path: Path) -> None:
    assert _fetch(held, tmp_path / "kept", "none", "file").read_bytes() == CONTENT


def test_a_place_that_is_busy_for_a_moment_is_asked_again(held: Places, tmp_path: Path) -> None:
    held.busy = 2
    assert _fetch(held, tmp_path / "kept", "file").read_bytes() == CONTENT
    held.busy = 9
    with pytest.raises(BundleError, match="answered 503 Service Unavailable"):
        _fetch(held, tmp_path / "other", "file")


def test_a_line_that_is_cut_is_gone_on_with_where_it_was(held: Places, tmp_path: Path) -> None:
    held.cut["file"] = [1_000_000, 500_000]
    assert _fetch(held, tmp_path / "kept", "file").read_bytes() == CONTENT
    assert held.requests["file"] == 3
    assert held.sent < len(CONTENT) + 3 * 65536


def test_a_killed_run_is_gone_on_with_by_the_next(held: Places, tmp_path: Path) -> None:
    (tmp_path / "kept.part").write_bytes(CONTENT[:2_000_000])
    assert _fetch(held, tmp_path / "kept", "file").read_bytes() == CONTENT
    assert held.sent == len(CONTENT) - 2_000_000


@pytest.mark.parametrize("left", [b"other", CONTENT + b"more", b"x" * len(CONTENT)])
def test_what_was_left_of_another_file_does_not_get_in(held: Places, tmp_path: Path, left: bytes) -> None:
    (tmp_path / "kept.part").write_bytes(left)
    assert _fetch(held, tmp_path / "kept", "file").read_bytes() == CONTENT


def test_a_place_without_ranges_gives_all_of_it_again(held: Places, tmp_path: Path) -> None:
    held.ranges = False
    (tmp_path / "kept.part").write_bytes(CONTENT[:2_000_000])
    assert _fetch(held, tmp_path / "kept", "file").read_bytes() == CONTENT


def test_wrong_bytes_are_not_kept_and_every_place_is_named(held: Places, tmp_path: Path) -> None:
    held.put("wrong", b"somebody else's")
    with pytest.raises(BundleError) as caught:
        _fetch(held, tmp_path / "kept", "none", "wrong")
    wrong = hashlib.sha256(b"somebody else's").hexdigest()[:12]
    assert caught.value.found == (
        f"{held.url}/none: answered 404 Not Found\n          {held.url}/wrong: has sha256 {wrong}…"
    )
    assert caught.value.requirement == f"the file with {DIGEST}"
    assert list(tmp_path.iterdir()) == []


def test_nobody_who_answers_is_a_finding(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="Connection refused"):
        fetch(Session(), "the file", ["http://127.0.0.1:1/file"], DIGEST, tmp_path / "kept")
    with pytest.raises(BundleError, match="no place that has it is known"):
        fetch(Session(), "the file", [], DIGEST, tmp_path / "kept")


def test_a_registry_that_wants_everybodys_token_gets_it_once(held: Places, tmp_path: Path) -> None:
    held.token = "for-everybody"
    held.put("more", b"more")
    session, more = Session(), f"sha256:{hashlib.sha256(b'more').hexdigest()}"
    fetch(session, "the file", [f"{held.url}/file"], DIGEST, tmp_path / "file")
    fetch(session, "more", [f"{held.url}/more"], more, tmp_path / "more")
    assert held.requests == {"file": 2, "token": 1, "more": 1}


def test_npms_digests_are_read_too(held: Places, tmp_path: Path) -> None:
    coded = base64.b64encode(hashlib.sha512(CONTENT).digest()).decode()
    assert _fetch(held, tmp_path / "kept", "file", digest=f"sha512-{coded}").read_bytes() == CONTENT
    for wrong in ("sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "md5:0", "sha256:00", "", "sha512-!"):
        with pytest.raises(ValueError, match=r"."):
            hexes(wrong)
