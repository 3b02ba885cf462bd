"""A tree is filled from a bundle whole, or stays as it was; what was killed is gone on with."""

from __future__ import annotations

import fcntl
import hashlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fleet.bundle.application import NAME as PROGRAM
from fleet.bundle.check import Checked, Wanted, check
from fleet.bundle.fault import BundleError
from fleet.bundle.fill import Filled, filled
from fleet.bundle.manifest import NAME, OURS, Inventory
from tests.fleet.bundle.conftest import Making, fill_from

TEXTS = ["weights " * 9000, "python", "", "node " * 5000]
LATER = "2026-12-01T00:00:00Z"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The folder that the store serves."""
    return tmp_path / "store"


def _checked(making: Making, name: str, texts: list[str], **options: object) -> Checked:
    return check(making.bundle(name, texts, **options), making.signer.signers, Wanted())  # type: ignore[arg-type]


def _path(tree: Path, text: str) -> Path:
    return tree / "sha256" / hashlib.sha256(text.encode()).hexdigest()


def _all(tree: Path) -> dict[str, object]:
    found = [it for it in sorted(tree.rglob("*")) if OURS not in it.parts]
    return {
        str(it.relative_to(tree)): it.readlink() if it.is_symlink() else it.is_file() and it.read_bytes()
        for it in found
    }


def _program(*arguments: object, limit: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the bundle's own program, as on a machine that has nothing but python3."""

    def limited() -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        [sys.executable, "-I", "-S", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited,
        timeout=60,
    )


def test_a_tree_has_every_content_and_every_face(making: Making, tree: Path) -> None:
    bundle = _checked(making, "bundle", TEXTS, limit=5000)
    assert fill_from(bundle, tree) == Filled(placed=4, kept=0)
    for it in bundle.manifest.items:
        assert hashlib.sha256((tree / it.path).read_bytes()).hexdigest() == it.sha256
        (face,) = it.faces
        assert (tree / face).resolve() == tree / it.path
        assert not Path((tree / face).readlink()).is_absolute()
        assert (tree / it.path).stat().st_mode & 0o777 == 0o644
    assert filled(tree) == bundle.manifest


def test_a_second_fill_changes_nothing(making: Making, tree: Path) -> None:
    bundle = _checked(making, "bundle", TEXTS)
    fill_from(bundle, tree)
    before = {it: it.lstat().st_mtime_ns for it in tree.rglob("*") if OURS not in it.parts}
    assert fill_from(bundle, tree) == Filled(placed=0, kept=4)
    assert {it: it.lstat().st_mtime_ns for it in tree.rglob("*") if OURS not in it.parts} == before


def test_what_rotted_in_the_tree_is_put_right(making: Making, tree: Path) -> None:
    bundle = _checked(making, "bundle", TEXTS)
    fill_from(bundle, tree)
    _path(tree, "python").write_text("pythom", encoding="utf-8")
    assert fill_from(bundle, tree) == Filled(placed=1, kept=3)
    assert _path(tree, "python").read_text(encoding="utf-8") == "python"


def test_a_delta_goes_on_top_of_what_it_names_and_on_nothing_else(making: Making, tree: Path) -> None:
    older = _checked(making, "older", TEXTS)
    delta = _checked(making, "delta", [*TEXTS, "new"], since=older.folder, created=LATER)
    with pytest.raises(BundleError, match="this is a delta") as caught:
        fill_from(delta, tree)
    assert older.sha256[:12] in caught.value.requirement
    assert caught.value.found.startswith(f"{tree} lacks 4 of its files")
    assert not _all(tree)
    fill_from(older, tree)
    assert fill_from(delta, tree) == Filled(placed=1, kept=4)
    assert _path(tree, "new").read_text(encoding="utf-8") == "new"


def test_an_older_bundle_after_a_newer_one_is_refused(making: Making, tree: Path) -> None:
    older = _checked(making, "older", ["old"])
    fill_from(_checked(making, "newer", ["new"], created=LATER), tree)
    before = _all(tree)
    with pytest.raises(BundleError) as caught:
        fill_from(older, tree)
    assert LATER in caught.value.requirement
    assert caught.value.found == "one from 2026-11-28T05:00:00Z"
    assert _all(tree) == before


def test_a_tree_of_one_inventory_takes_no_bundle_for_another(making: Making, tree: Path) -> None:
    fill_from(_checked(making, "office", TEXTS), tree)
    lab = _checked(making, "lab", ["lab"], inventory=Inventory("lab", "0" * 64), created=LATER)
    with pytest.raises(BundleError, match="found     one for lab"):
        fill_from(lab, tree)
    assert not _path(tree, "lab").exists()


def test_two_fills_of_one_tree_do_not_meet(making: Making, tree: Path) -> None:
    bundle = _checked(making, "bundle", TEXTS)
    (tree / OURS).mkdir(parents=True)
    with (tree / OURS / "lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BundleError, match="another fill is at work"):
            fill_from(bundle, tree)
    assert fill_from(bundle, tree).placed == 4


def test_a_part_that_changes_between_check_and_fill_leaves_the_tree_as_it_was(
    making: Making, tree: Path
) -> None:
    fill_from(_checked(making, "older", ["old"]), tree)
    before = _all(tree)
    bundle = _checked(making, "bundle", TEXTS, created=LATER)
    part = bundle.folder / "tree.tar.001"
    whole = part.read_bytes()
    at = whole.index(b"node node")
    for damaged in (whole[:at] + b"N" + whole[at + 1 :], whole[:at], whole[: 70 * 1024] + b"\xff" * 2048):
        part.write_bytes(damaged)
        with pytest.raises(BundleError):
            fill_from(bundle, tree)
        assert _all(tree) == before


def test_a_full_disk_leaves_the_tree_as_it_was_and_nothing_aside(making: Making, tree: Path) -> None:
    # A limit of the size of files is what this test can do to a disk that others use, too.
    bundle = making.bundle("bundle", ["python", "weights " * 9000])
    done = _program(bundle / PROGRAM, "fill", bundle, tree, "--signers", making.signer.signers, limit=30_000)
    assert done.returncode == 1, done.stderr
    assert f"free in {tree} for this bundle" in done.stderr
    assert "the disk said: File too large" in done.stderr
    assert "do        make it larger, or free some, and run again" in done.stderr
    assert "Traceback" not in done.stderr
    assert _all(tree) == {}
    assert [it.name for it in (tree / OURS).iterdir()] == ["lock"]


def test_a_disk_that_is_too_small_is_reported_before_anything_is_written(
    making: Making, tree: Path, tmp_path: Path
) -> None:
    bundle = _checked(making, "bundle", TEXTS)
    (first, *others) = bundle.manifest.items
    free = shutil.disk_usage(tmp_path).free
    huge = first.__class__(**{**vars(first), "size": free * 2})
    manifest = bundle.manifest.__class__(**{**vars(bundle.manifest), "items": (huge, *others)})
    with pytest.raises(BundleError, match="MB free in"):
        fill_from(Checked(bundle.folder, manifest, bundle.text, bundle.signer), tree)
    assert _all(tree) == {}


def test_the_program_in_the_bundle_needs_python_and_ssh_keygen_only(making: Making, tree: Path) -> None:
    bundle = making.bundle("bundle", TEXTS, limit=9000)
    done = _program(bundle / PROGRAM, "fill", bundle, tree, "--signers", making.signer.signers)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "bundle for office from 2026-11-28T05:00:00Z, signed by ada@desk: 4 files, 0 MB, Venom v1.9.0, "
        f"amd64, debian 12\n{tree}: 4 files placed, 0 were there\n"
    )
    done = _program(bundle / PROGRAM, "check", bundle, "--signers", making.signer.signers, "--release", "v1")
    assert done.returncode == 1
    assert done.stderr.startswith("required  a bundle for the release v1\nfound     one for v1.9.0\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can go on as somebody else")
def test_root_fills_a_tree_of_somebody_elses_as_that_user(making: Making, tree: Path) -> None:
    bundle = making.bundle("bundle", TEXTS)
    user, elsewhere = 65534, making.folder / "elsewhere"
    elsewhere.mkdir()
    tree.mkdir()
    os.chown(tree, user, user)
    for folder in (making.folder, *making.folder.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    (tree / "sha256").symlink_to(elsewhere)
    done = _program(bundle / PROGRAM, "fill", bundle, tree, "--signers", making.signer.signers)
    assert done.returncode == 1, "root followed a link of that user's"
    assert done.stderr.endswith("Permission denied\ndo        run as who may do that\n")
    assert list(elsewhere.iterdir()) == []
    (tree / "sha256").unlink()
    done = _program(bundle / PROGRAM, "fill", bundle, tree, "--signers", making.signer.signers)
    assert done.returncode == 0, done.stderr
    assert {it.lstat().st_uid for it in tree.rglob("*")} == {user}


def test_a_fill_that_is_killed_anywhere_is_gone_on_with(making: Making, tree: Path) -> None:
    texts = [f"{number} " * 40_000 for number in range(60)]
    bundle = making.bundle("bundle", texts)
    for moment in (0.05, 0.12, 0.16, 0.2, 0.25, 0.3, 0.4):
        command = [sys.executable, "-I", "-S", str(bundle / PROGRAM), "fill", str(bundle), str(tree)]
        process = subprocess.Popen(
            [*command, "--signers", str(making.signer.signers)], stdout=subprocess.DEVNULL
        )
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for path, content in _all(tree).items():
            if isinstance(content, bytes):
                assert hashlib.sha256(content).hexdigest() == Path(path).name
            elif isinstance(content, Path):
                assert (tree / path).exists(), "a face leads nowhere"
    done = _program(bundle / PROGRAM, "fill", bundle, tree, "--signers", making.signer.signers)
    assert done.returncode == 0, done.stderr
    assert len(_all(tree)) > 120
    assert sorted(it.name for it in (tree / OURS).iterdir()) == ["lock", NAME]
