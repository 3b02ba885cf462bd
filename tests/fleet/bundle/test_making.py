"""A bundle is the same bytes for the same content, in parts of any size, and whole or not there."""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.bundle import application
from fleet.bundle.fault import BundleError
from fleet.bundle.making import BILL, FAT_BYTES, write
from fleet.bundle.manifest import NAME, read
from fleet.bundle.parts import Reader
from tests.fleet.bundle.conftest import Making

TEXTS = ["weights " * 9000, "python", "", "node " * 5000]


def _files(folder: Path) -> dict[str, bytes]:
    return {it.name: it.read_bytes() for it in sorted(folder.iterdir())}


def test_the_same_content_makes_the_same_bytes_signature_included(making: Making) -> None:
    assert _files(making.bundle("one", TEXTS)) == _files(making.bundle("two", TEXTS))


@pytest.mark.parametrize("limit", [1, 511, 4096, 10240, 40_000, 1_000_000])
def test_the_parts_are_the_archive_whatever_their_size(making: Making, limit: int) -> None:
    limit = max(limit, 500)
    whole, cut = making.bundle("whole", TEXTS), making.bundle("cut", TEXTS, limit=limit)
    parts = read((cut / NAME).read_bytes()).parts
    assert max(it.size for it in parts) <= limit
    joined = b"".join((cut / it.name).read_bytes() for it in parts)
    assert joined == (whole / "tree.tar.001").read_bytes()
    assert [it.name for it in parts] == sorted(it.name for it in parts)
    assert Reader(cut, parts).read() == joined


def test_any_tar_reads_the_archive(making: Making) -> None:
    folder = making.bundle("bundle", TEXTS)
    with tarfile.open(folder / "tree.tar.001") as tar:
        assert [it.name for it in tar] == [
            f"sha256/{hashlib.sha256(text.encode()).hexdigest()}" for text in TEXTS
        ]
        assert {(it.mtime, it.uid, it.uname) for it in tar} == {(0, 0, "")}


def test_a_bundle_holds_what_reads_it_and_its_bill_of_materials(making: Making) -> None:
    folder = making.bundle("bundle", TEXTS)
    others = read((folder / NAME).read_bytes()).others
    assert [it.name for it in others] == [BILL, application.NAME]
    assert set(_files(folder)) == {NAME, f"{NAME}.sig", BILL, application.NAME, "tree.tar.001"}


def test_a_file_that_changed_since_it_was_verified_is_not_packed(making: Making) -> None:
    for other in ("changed", "long" * 9, ""):
        manifest, having = making.manifest(["python"])
        having[0].file.write_text(other, encoding="utf-8")
        with pytest.raises(BundleError, match="holds something else"):
            write(making.folder / "bundle", manifest, having, making.signer.key, bill="{}")
        assert not list(making.folder.glob("bundle*"))


def test_two_contents_for_one_place_make_no_bundle(making: Making) -> None:
    manifest, having = making.manifest(["python", "node"])
    first, second = manifest.items
    items = (first, replace(second, faces=first.faces))
    with pytest.raises(BundleError, match="two items in one place"):
        write(making.folder / "bundle", replace(manifest, items=items), having, making.signer.key, bill="{}")
    assert not list(making.folder.glob("bundle*"))


def test_a_folder_that_is_there_is_not_written_over(making: Making) -> None:
    making.bundle("bundle", TEXTS)
    with pytest.raises(BundleError, match="is there"):
        making.bundle("bundle", ["other"])


def test_what_a_killed_making_left_aside_does_not_get_in(making: Making) -> None:
    left = making.folder / "bundle.part"
    left.mkdir()
    (left / "tree.tar.009").write_bytes(b"of another one")
    folder = making.bundle("bundle", TEXTS)
    assert not left.exists()
    assert "tree.tar.009" not in _files(folder)


def test_a_delta_packs_only_what_the_older_one_lacks_and_names_it(making: Making) -> None:
    older = making.bundle("older", TEXTS)
    delta = making.bundle("delta", [*TEXTS, "new"], since=older, created="2026-12-01T00:00:00Z")
    manifest = read((delta / NAME).read_bytes())
    assert len(manifest.items) == 5
    assert [it.name for it in manifest.packed] == ["new"]
    assert manifest.since is not None
    assert manifest.since.sha256 == hashlib.sha256((older / NAME).read_bytes()).hexdigest()


def test_a_delta_on_a_bundle_for_another_inventory_is_refused(making: Making) -> None:
    older = making.bundle("older", TEXTS)
    lab = read((older / NAME).read_bytes()).inventory.__class__("lab", "0" * 64)
    with pytest.raises(BundleError, match="is one for office"):
        making.bundle("delta", TEXTS, since=older, inventory=lab)
    with pytest.raises(BundleError, match=r"no manifest\.json"):
        making.bundle("delta", TEXTS, since=making.folder / "none")


def test_a_part_for_fat_is_as_large_as_fat_allows() -> None:
    assert FAT_BYTES == 4 * 2**30 - 1
