"""Whatever is wrong with a bundle is one message with requirement, finding and remedy."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.bundle.check import Checked, Wanted, check
from fleet.bundle.fault import BundleError
from fleet.bundle.making import BILL
from fleet.bundle.manifest import NAME, read
from fleet.bundle.signature import sign
from tests.fleet.bundle.conftest import Making, Signer

TEXTS = ["weights " * 9000, "python", "node " * 5000]


@pytest.fixture
def bundle(making: Making) -> Path:
    """A bundle in several parts."""
    return making.bundle("bundle", TEXTS, limit=20_000)


def _check(bundle: Path, ada: Signer, wanted: Wanted | None = None) -> Checked:
    return check(bundle, ada.signers, wanted or Wanted())


def _fault(bundle: Path, ada: Signer, wanted: Wanted | None = None) -> BundleError:
    with pytest.raises(BundleError) as caught:
        _check(bundle, ada, wanted)
    lines = str(caught.value).splitlines()
    assert [line[:10] for line in lines] == ["required  ", "found     ", "do        "]
    return caught.value


def test_a_sound_bundle_says_who_signed_it(bundle: Path, ada: Signer) -> None:
    checked = _check(bundle, ada)
    assert checked.signer == "ada@desk"
    assert checked.sha256 == checked.manifest.sha256
    assert len(checked.manifest.parts) > 3


def test_a_truncated_part_is_named_with_both_sizes(bundle: Path, ada: Signer) -> None:
    part = bundle / "tree.tar.002"
    part.write_bytes(part.read_bytes()[:-7])
    fault = _fault(bundle, ada)
    assert (fault.requirement, fault.found) == ("tree.tar.002 with 20000 bytes", "it has 19993")


def test_a_flipped_bit_is_found_wherever_it_is(bundle: Path, ada: Signer) -> None:
    for name in ("tree.tar.001", "tree.tar.003", BILL, "venom-bundle.pyz"):
        file = bundle / name
        whole = file.read_bytes()
        file.write_bytes(whole[:-2] + bytes([whole[-2] ^ 1]) + whole[-1:])
        fault = _fault(bundle, ada)
        assert fault.requirement.startswith(f"{name} with sha256 ")
        assert "copy the bundle again" in fault.remedy
        file.write_bytes(whole)


def test_swapped_parts_are_reported_as_such(bundle: Path, ada: Signer) -> None:
    first, second, aside = bundle / "tree.tar.001", bundle / "tree.tar.002", bundle / "aside"
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
    fault = _fault(bundle, ada)
    assert fault.found == "it holds what tree.tar.002 must hold"
    assert fault.remedy == "give tree.tar.002 its name back"


def test_a_part_that_was_left_behind_is_named(bundle: Path, ada: Signer) -> None:
    (bundle / "tree.tar.003").unlink()
    assert _fault(bundle, ada).found == "it is not in the bundle"


def test_a_manifest_that_was_changed_is_not_what_was_signed(bundle: Path, ada: Signer) -> None:
    file = bundle / NAME
    file.write_text(file.read_text(encoding="utf-8").replace("v1.9.0", "v1.8.0"), encoding="utf-8")
    assert "the manifest is not what was signed" in _fault(bundle, ada).found


def test_a_key_that_nobody_allowed_is_refused(
    bundle: Path, ada: Signer, another: Callable[[str], Signer]
) -> None:
    sign(bundle / NAME, another("eve").key)
    assert "signed with a key that is not there" in _fault(bundle, ada).found


def test_a_signature_for_another_purpose_is_none_for_a_bundle(making: Making, ada: Signer) -> None:
    bundle = making.bundle("bundle", TEXTS)
    other = bundle / "other"
    shutil.copy(bundle / NAME, other)
    subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-f", ada.key, "-n", "git", other], check=True, capture_output=True
    )
    shutil.copy(bundle / "other.sig", bundle / f"{NAME}.sig")
    assert "not as a bundle" in _fault(bundle, ada).found


@pytest.mark.parametrize("content", [b"", b"no signature", b"-----BEGIN SSH SIGNATURE-----\nAAAA\n"])
def test_a_damaged_signature_is_refused(bundle: Path, ada: Signer, content: bytes) -> None:
    (bundle / f"{NAME}.sig").write_bytes(content)
    assert str(ada.signers) in _fault(bundle, ada).requirement


def test_without_a_signature_or_signers_nothing_is_believed(bundle: Path, ada: Signer) -> None:
    (bundle / f"{NAME}.sig").unlink()
    assert _fault(bundle, ada).found == "manifest.json.sig is not in the bundle"
    nobody = Signer(ada.key, bundle / "nobody")
    assert "no such file" in _fault(bundle, nobody).found


def test_a_folder_that_is_no_bundle_is_refused(ada: Signer, tmp_path: Path) -> None:
    assert _fault(tmp_path / "none", ada).found.endswith("no such folder")
    assert _fault(tmp_path, ada).found == f"no manifest.json in {tmp_path}"


def test_a_bundle_for_another_inventory_is_refused(making: Making, ada: Signer, tmp_path: Path) -> None:
    lab, office = tmp_path / "lab.yaml", tmp_path / "office.yaml"
    lab.write_bytes(b"office")
    office.write_bytes(b"office")
    bundle = making.bundle("bundle", TEXTS)
    assert _check(bundle, ada, Wanted(inventory=office)).manifest.inventory.name == "office"
    fault = _fault(bundle, ada, Wanted(inventory=lab))
    assert (fault.requirement, fault.found) == ("a bundle for the inventory lab", "one for office")
    office.write_bytes(b"office, changed since")
    assert "another version of it" in _fault(bundle, ada, Wanted(inventory=office)).found
    office.unlink()
    assert "no such file" in _fault(bundle, ada, Wanted(inventory=office)).found


def test_a_bundle_for_another_release_architecture_or_system_is_refused(bundle: Path, ada: Signer) -> None:
    assert _check(bundle, ada, Wanted(releases=("v1.9.0",), architectures=("amd64",)))
    fault = _fault(bundle, ada, Wanted(releases=("v1.6.0",)))
    assert (fault.requirement, fault.found) == ("a bundle for the release v1.6.0", "one for v1.9.0")
    fault = _fault(bundle, ada, Wanted(architectures=("amd64", "arm64")))
    assert (fault.requirement, fault.found) == ("a bundle for the architecture arm64", "one for amd64")
    assert _fault(bundle, ada, Wanted(systems=("debian 13",))).found == "one for debian 12"


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"format": None},
        {"items": {}},
        {"items": [1]},
        {"lacks": [1]},
        {"parts": [{"name": "../x", "sha256": "0" * 64, "size": 1}]},
        {"created": "yesterday"},
        {"since": {"sha256": "x", "created": "2026-11-28T05:00:00Z"}},
        {"releases": "v1.9.0"},
    ],
)
def test_a_manifest_of_another_form_is_refused(bundle: Path, ada: Signer, change: dict[str, object]) -> None:
    file = bundle / NAME
    file.write_text(json.dumps({**json.loads(file.read_bytes()), **change}), encoding="utf-8")
    sign(file, ada.key)
    fault = _fault(bundle, ada)
    assert "format" in fault.requirement or fault.requirement == "a manifest.json of a bundle"


@pytest.mark.parametrize(
    "face", ["/etc/passwd", "../up", "a/../../up", "sha256/x", ".bundle/x", "a//b", "", "."]
)
def test_a_face_that_leads_out_of_the_tree_makes_no_manifest(bundle: Path, ada: Signer, face: str) -> None:
    file = bundle / NAME
    data = json.loads(file.read_bytes())
    data["items"][0]["faces"] = [face]
    file.write_text(json.dumps(data), encoding="utf-8")
    sign(file, ada.key)
    assert "is no path of a tree" in _fault(bundle, ada).found


def test_a_manifest_is_read_as_it_was_written(bundle: Path) -> None:
    text = (bundle / NAME).read_bytes()
    assert read(text).text.encode() == text
