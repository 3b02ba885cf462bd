"""Everything that plans need lies in the filled tree under the paths by which hosts ask for it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from engine.environment import Lock
from fleet.builds import Build
from fleet.bundle.bill import bill_of
from fleet.bundle.check import Wanted, check
from fleet.bundle.contents import Planned, add_cached
from fleet.bundle.fault import BundleError
from fleet.bundle.gathering import Gathered, Gathering
from fleet.bundle.licences import licence_of
from fleet.bundle.making import write
from fleet.bundle.provisioner import CACHE
from schemas.plan import item as kinds
from schemas.plan.item import Item, Needed
from tests.fleet.bundle.conftest import Making, fill_from
from tests.fleet.bundle.places import Places, places
from tests.roles.package_index import Index
from tests.roles.plans import declared, plan

HOSTS = ("box1", "box2")


@pytest.fixture
def held() -> Iterator[Places]:
    """Places without anything."""
    with places() as found:
        yield found


def test_locks_that_are_no_part_of_the_repository_come_along(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.txt" for name in ("api", "vllm")]
    for path in paths:
        path.write_text(path.name, encoding="utf-8")
    locks = [Lock(path, path.name, "", fresh=False) for path in paths]
    found = Gathered()
    build = replace(Build.unknown(plan()), lock=locks[0], vllm=locks[1])
    add_cached(Planned("debian 12", plan(), declared().pins, build), found)
    assert {it.item.faces for it in found.having.values()} == {
        (f"{CACHE}/locks/{path.name}",) for path in paths
    }


def _sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _needed(kind: str, name: str, content: bytes, url: str, face: str, **more: object) -> Needed:
    thing = Item(kind, name, (_sha256(content),), 0, (url,), face, **more)  # type: ignore[arg-type]
    return Needed(thing, HOSTS)


def _file(held: Places) -> Needed:
    url = held.put("files/ollama.tar.zst", b"ollama")
    return _needed(kinds.FILE, "ollama 0.24.0", b"ollama", url, "files/example.org/ollama.tar.zst")


def _model(held: Places) -> list[Needed]:
    parts = {it: _sha256(it.encode()) for it in ("config", "weights", "template")}
    for text, digest in parts.items():
        held.put(f"v2/library/gemma3/blobs/{digest}", text.encode())
    listed = [{"digest": digest, "size": len(text)} for text, digest in parts.items()]
    manifest = json.dumps({"config": listed[0], "layers": listed[1:]}).encode()
    url = held.put("v2/library/gemma3/manifests/4b", manifest)
    within = "v2/library/gemma3"
    blob = f"{within}/blobs/{parts['weights']}"
    return [
        _needed(kinds.MANIFEST, "manifest of gemma3:4b", manifest, url, f"{within}/manifests/4b"),
        _needed(kinds.BLOB, "blob of gemma3:4b", b"weights", f"{held.url}/{blob}", blob),
    ]


def _image(held: Places) -> Needed:
    within, manifests = "v2/venom/backend", []
    for arch in ("amd64", "arm64"):
        layer = f"layer for {arch}".encode()
        held.put(f"{within}/blobs/{_sha256(layer)}", layer)
        manifest = json.dumps({"layers": [{"digest": _sha256(layer), "size": len(layer)}]}).encode()
        held.put(f"{within}/manifests/{_sha256(manifest)}", manifest)
        platform = {"os": "linux", "architecture": arch}
        manifests.append({"digest": _sha256(manifest), "size": len(manifest), "platform": platform})
    listing = json.dumps({"manifests": manifests}).encode()
    face = f"{within}/manifests/{_sha256(listing)}"
    return _needed(kinds.IMAGE, "image of backend v1.9.0", listing, held.put(face, listing), face)


def _package(held: Places, licence: str = "MIT") -> Needed:
    index = Index()
    index.publish("six", "1.17.0")
    ((name, (content, _)),) = index.files.items()
    held.put(f"files/{name}", content)
    listed = {"filename": name, "url": f"/files/{name}", "hashes": {"sha256": _sha256(content)[7:]}}
    kind = "application/vnd.pypi.simple.v1+json"
    url = held.put("simple/six/", json.dumps({"files": [listed]}).encode(), kind)
    return _needed(kinds.PACKAGE, "six 1.17.0", content, url, "pypi/six/", fits=("3.12", "amd64"))


def _tarball(held: Places) -> Needed:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        text = b'{"license": "OFL-1.1"}'
        entry = tarfile.TarInfo("package/package.json")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
    content = buffer.getvalue()
    coded = base64.b64encode(hashlib.sha512(content).digest()).decode()
    face = "@fonts/inter/-/inter-5.3.0.tgz"
    thing = Item(
        kinds.TARBALL,
        "@fonts/inter 5.3.0",
        (f"sha512-{coded}",),
        0,
        (held.put(face, content),),
        f"npm/{face}",
    )
    return Needed(thing, HOSTS)


UI = Needed(Item(kinds.UI, "built UI aaaa", (), 0, (), "uis/aaaa.tar.zst", unpinned="made"), HOSTS)
RELEASE = Needed(
    Item(kinds.DEBIAN, "InRelease of bookworm", (), 0, (), "debian/dists/bookworm/InRelease"), HOSTS
)


def _gather(tmp_path: Path, needed: list[Needed], made: dict[str, Path] | None = None) -> Gathered:
    return Gathering(tmp_path / "cache", made or {}, ("amd64",)).gather(needed)


def _tree(making: Making, found: Gathered) -> Path:
    """A tree that is filled from a bundle of all that was gathered."""
    having = list(found.having.values())
    manifest, _ = making.manifest([], items=tuple(it.item for it in having), lacks=tuple(found.lacks))
    bundle, tree = making.folder / "bundle", making.folder / "store"
    write(bundle, manifest, having, making.signer.key, bill=bill_of(manifest))
    fill_from(check(bundle, making.signer.signers, Wanted()), tree)
    return tree


def test_a_filled_tree_answers_every_question_of_a_host(making: Making, held: Places, tmp_path: Path) -> None:
    needed = [_file(held), *_model(held), _image(held), _package(held), _tarball(held)]
    tree = _tree(making, _gather(tmp_path, needed))
    assert (tree / "files/example.org/ollama.tar.zst").read_bytes() == b"ollama"
    manifest = json.loads((tree / "v2/library/gemma3/manifests/4b").read_bytes())
    for part in (manifest["config"], *manifest["layers"]):
        blob = tree / "v2/library/gemma3/blobs" / part["digest"]
        assert _sha256(blob.read_bytes()) == part["digest"]
    tarball = tree / "npm/@fonts/inter/-/inter-5.3.0.tgz"
    (version,) = json.loads((tree / "npm/@fonts/inter/index.json").read_bytes())["versions"].values()
    assert version["dist"]["tarball"] == "https://registry.npmjs.org/@fonts/inter/-/inter-5.3.0.tgz"
    coded = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    assert version["dist"]["integrity"] == f"sha512-{coded}"
    page = (tree / "pypi/six/index.html").read_text(encoding="utf-8")
    wheel = tree / "pypi/six/six-1.17.0-py3-none-any.whl"
    assert f'<a href="{wheel.name}#sha256={_sha256(wheel.read_bytes())[7:]}">' in page


def test_of_an_image_for_several_architectures_those_of_the_fleet_come(
    making: Making, held: Places, tmp_path: Path
) -> None:
    found = _gather(tmp_path, [_image(held)])
    held_by = {it.file.read_bytes() for it in found.having.values()}
    assert b"layer for amd64" in held_by
    assert b"layer for arm64" not in held_by
    faces = [face for it in found.having.values() for face in it.item.faces]
    assert sum(it.startswith("v2/venom/backend/manifests/") for it in faces) == 2
    assert sum(it.startswith("v2/venom/backend/blobs/") for it in faces) == 1
    assert sum(it.startswith("types/vnd-oci-image-index-v1-json/v2/venom/backend/") for it in faces) == 1


def test_what_two_need_or_what_has_two_names_lies_once(making: Making, held: Places, tmp_path: Path) -> None:
    again = Needed(Item(**{**vars(_file(held).item), "face": "files/mirror/ollama.tar.zst"}), ("box3",))
    (only,) = _gather(tmp_path, [_file(held), again]).having.values()
    assert only.item.faces == ("files/example.org/ollama.tar.zst", "files/mirror/ollama.tar.zst")
    assert only.item.hosts == ("box1", "box2", "box3")


def test_a_second_run_fetches_no_file_again(held: Places, tmp_path: Path) -> None:
    needed = [_file(held), *_model(held)]
    first = _gather(tmp_path, needed)
    before = held.sent
    assert _gather(tmp_path, needed) == first
    assert held.sent == before


def test_a_built_ui_comes_and_one_that_is_not_there_is_told(held: Places, tmp_path: Path) -> None:
    ui = tmp_path / "aaaa.tar.zst"
    ui.write_bytes(b"the UI")
    found = _gather(tmp_path, [UI, _tarball(held)], {"uis/aaaa.tar.zst": ui})
    assert kinds.UI in {it.item.kind for it in found.having.values()}
    assert found.lacks == []
    found = _gather(tmp_path, [UI, _tarball(held)])
    assert found.lacks == ["built UI aaaa: the first host that needs it builds it"]


def test_debians_part_of_an_archive_keeps_what_debian_signed(
    making: Making, held: Places, tmp_path: Path
) -> None:
    release = tmp_path / "InRelease"
    release.write_bytes(b"signed by Debian")
    face = "debian/pool/main/n/nginx/nginx_1.22_amd64.deb"
    package = _needed(kinds.DEBIAN, "nginx 1.22", b"nginx", held.put(face, b"nginx"), face)
    tree = _tree(making, _gather(tmp_path, [package, RELEASE], {RELEASE.item.face: release}))
    assert (tree / RELEASE.item.face).read_bytes() == b"signed by Debian"
    assert (tree / face).read_bytes() == b"nginx"


def test_what_has_no_digest_or_no_fitting_file_is_refused(held: Places, tmp_path: Path) -> None:
    package = _package(held).item
    unpinned = Needed(Item(**{**vars(_file(held).item), "digests": (), "unpinned": "no digest"}), HOSTS)
    with pytest.raises(BundleError, match="a digest of ollama"):
        _gather(tmp_path, [unpinned])
    other = Needed(Item(**{**vars(package), "digests": (_sha256(b"other"),)}), HOSTS)
    with pytest.raises(BundleError, match=r"six 1\.17\.0 for Python 3\.12 on amd64"):
        _gather(tmp_path, [other])
    gone = Needed(Item(**{**vars(package), "origins": (f"{held.url}/none/",)}), HOSTS)
    with pytest.raises(BundleError, match=r"an index that has six 1\.17\.0"):
        _gather(tmp_path, [gone])


def test_licences_are_those_that_publishers_name(held: Places, tmp_path: Path) -> None:
    found = _gather(tmp_path, [_file(held), *_model(held), _package(held), _tarball(held)])
    licences = {it.item.name: it.item.licence for it in found.having.values()}
    assert licences["ollama 0.24.0"] == "MIT"
    assert licences["manifest of gemma3:4b"] == "Gemma Terms of Use"
    assert licences["@fonts/inter 5.3.0"] == "OFL-1.1"
    assert licences["six 1.17.0"] == ""


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ("License-Expression: Apache-2.0 OR MIT\nLicense: x\n", "Apache-2.0 OR MIT"),
        ("License: BSD\n", "BSD"),
        (
            "License: All of it\n  follows\n  here\nClassifier: License :: OSI Approved :: MIT License\n",
            "MIT License",
        ),
    ],
)
def test_a_wheel_says_its_licence_in_one_of_three_ways(metadata: str, licence: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as wheel:
        wheel.writestr("a-1.dist-info/METADATA", f"Name: a\n{metadata}")
    assert licence_of(kinds.PACKAGE, "a 1", tmp_path / "a.whl") == licence


def test_the_bill_of_materials_has_every_digest_and_is_sound(
    making: Making, held: Places, tmp_path: Path
) -> None:
    needed = [_file(held), *_model(held), _package(held), _tarball(held)]
    having = list(_gather(tmp_path, needed).having.values())
    manifest, _ = making.manifest([], items=tuple(it.item for it in having))
    text = bill_of(manifest)
    assert bill_of(manifest) == text
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    read = Bom.from_json(json.loads(text))  # type: ignore[attr-defined]
    assert {it.bom_ref.value for it in read.components} == {it.item.sha256 for it in having}
    purls = {str(it.purl) for it in read.components}
    assert {"pkg:pypi/six@1.17.0", "pkg:npm/%40fonts/inter@5.3.0"} <= purls
