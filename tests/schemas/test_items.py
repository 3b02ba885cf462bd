"""What the plans of an inventory need from elsewhere: each thing once, with its digest, origins and place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.data.pins import Pins
from schemas.inventory import Inventory
from schemas.model import HostPlan
from schemas.plan import item as kinds
from schemas.plan.host import assumed_hardware, plan_host
from schemas.plan.item import Item, Needed
from schemas.plan.items import Packed, Read, items, needed, unpinned
from schemas.plan.listed import blobs, packages, tarballs
from tests.schemas.conftest import Host, Load, card

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "schemas" / "data" / "locks" / "v1.9.0" / "api-py3.12-amd64.txt"
BUILD = ROOT / "roles" / "backend" / "files" / "build-constraints.txt"
NPM = ROOT / "lab" / "venom" / "web-next" / "package-lock.json"


def _read() -> Read:
    return Read(
        lock=LOCK.read_text(encoding="utf-8"),
        build=BUILD.read_text(encoding="utf-8"),
        npm=NPM.read_text(encoding="utf-8"),
        debian=("nginx", "zstd"),
        source=Packed("0" * 64, 4_400_000),
        ui="aaaabbbbcccc",
    )


def _of(inventory: Inventory, read: Read | None = None) -> list[tuple[HostPlan, Pins, Read]]:
    return [(plan_host(it, assumed_hardware(it)), it.pins, read or _read()) for it in inventory.hosts]


def _of_kind(found: list[Item], kind: str) -> list[Item]:
    return [it for it in found if it.kind == kind]


def _items(host: Host, settings: str = "", read: Read | None = None) -> list[Item]:
    declared = host(settings)
    return items(plan_host(declared, card(16, python="")), declared.pins, read or _read())


def test_what_light_needs_has_a_digest_but_for_what_is_signed_or_made(host: Host) -> None:
    found = _items(host)
    assert {it.kind for it in found} == {*kinds.KINDS} - {kinds.IMAGE}
    assert {it.kind for it in found if not it.digests} == {kinds.DEBIAN, kinds.UI}
    assert all(bool(it.digests) != bool(it.unpinned) for it in found)
    assert len({it.key for it in found}) == len(found)


def test_release_files_lie_as_host_and_path_and_are_had_from_mirrors_first(host: Host) -> None:
    found = _items(host, "mirrors: {files: ['http://mirror.example.org']}")
    python = next(it for it in found if it.name == "python 3.12.14")
    upstream = "github.com/astral-sh/python-build-standalone/releases/download/20260814/cpython-3.12.14"
    assert python.face.startswith(f"files/{upstream}+2026")
    assert [it.partition("/github.com")[0] for it in python.origins] == [
        "http://mirror.example.org",
        "https:/",
    ]
    assert python.content == f"sha256/{python.digests[0].removeprefix('sha256:')}"
    ollama = next(it for it in found if it.name == "ollama 0.24.0")
    assert ollama.size == 1198635318


def test_a_model_is_its_manifest_and_its_layer_of_ollamas_registry(host: Host) -> None:
    found = [it for it in _items(host) if it.kind in (kinds.MANIFEST, kinds.BLOB)]
    assert [it.face.rpartition("/")[0] for it in found] == [
        "v2/library/gemma3/manifests",
        "v2/library/gemma3/blobs",
    ]
    assert found[0].origins == ("https://registry.ollama.ai/v2/library/gemma3/manifests/4b",)
    assert found[1].size == 3338792448
    elsewhere = _items(host, "mirrors: {ollama: 'mirror.example.org:5000'}")
    manifest = next(it for it in elsewhere if it.kind == kinds.MANIFEST)
    assert manifest.origins == ("http://mirror.example.org:5000/v2/library/gemma3/manifests/4b",)


def test_a_python_package_has_the_digests_of_the_lock_and_says_what_it_must_fit(host: Host) -> None:
    found = _of_kind(_items(host), kinds.PACKAGE)
    text = LOCK.read_text(encoding="utf-8")
    assert len(found) == 3 + sum(line[:1].isalnum() for line in text.splitlines())
    assert sum(len(it.digests) for it in found) == 3 + text.count("--hash=")
    aiohttp = next(it for it in found if it.name == "aiohttp 3.13.3")
    assert aiohttp.fits == ("3.12", "amd64")
    assert (aiohttp.origins, aiohttp.face) == (("https://pypi.org/simple/aiohttp/",), "pypi/aiohttp/")
    assert {"uv 0.13.9", "setuptools 84.2.1", "wheel 0.48.0"} <= {it.name for it in found}
    assert next(it for it in found if it.name == "uv 0.13.9").size == 17606939


def test_npm_brings_what_its_lock_has_for_this_platform_and_the_fonts(host: Host) -> None:
    found = _of_kind(_items(host), kinds.TARBALL)
    names = {it.name.rpartition(" ")[0] for it in found}
    assert {"next", "@next/swc-linux-x64-gnu", "@fontsource-variable/inter"} <= names
    assert not [it for it in names if "darwin" in it or "musl" in it or "arm64" in it or "win32" in it]
    inter = next(it for it in found if it.name == "@fontsource-variable/inter 5.3.0")
    assert inter.face == "npm/@fontsource-variable/inter/-/inter-5.3.0.tgz"
    assert inter.origins == (f"https://registry.npmjs.org/{inter.face.removeprefix('npm/')}",)


def test_a_host_without_a_model_needs_nothing_of_ollama(host: Host) -> None:
    found = _items(host, "profile: llm_off")
    assert not _of_kind(found, kinds.MANIFEST)
    assert not [it for it in found if it.name.startswith("ollama")]


def test_a_host_whose_own_python_will_do_needs_none(host: Host) -> None:
    declared = host("venom: {release: v1.6.0}")
    found = items(plan_host(declared, card(16, python="3.11.2")), declared.pins, Read())
    assert not [it for it in found if it.name.startswith("python ")]


def test_venom_from_images_needs_them_and_nothing_that_is_in_them(host: Host) -> None:
    digest = "a" * 64
    both = (f"{it}: registry.example.org/venom/{it}:v1.9.0@sha256:{digest}" for it in ("backend", "frontend"))
    found = _items(host, f"venom: {{install: image, images: {{{', '.join(both)}}}}}")
    images = _of_kind(found, kinds.IMAGE)
    assert [it.face for it in images] == [
        f"v2/venom/{it}/manifests/sha256:{digest}" for it in ("backend", "frontend")
    ]
    assert images[0].origins == (f"https://registry.example.org/{images[0].face}",)
    assert {it.kind for it in found} == {*kinds.KINDS} - {
        kinds.PACKAGE,
        kinds.TARBALL,
        kinds.SOURCE,
        kinds.UI,
    }


def test_what_was_not_read_is_not_listed_and_what_it_would_show_is_reported(host: Host) -> None:
    found = _items(host, read=Read())
    source = next(it for it in found if it.kind == kinds.SOURCE)
    assert source.unpinned == "named by its commit; the controller packs it, and then knows its digest"
    assert [it.name for it in _of_kind(found, kinds.PACKAGE)] == ["uv 0.13.9"]


def test_the_hosts_of_an_inventory_need_each_thing_once(loaded: Load) -> None:
    inventory = loaded(
        """
        hosts:
          one: {address: 192.0.2.1}
          two: {address: 192.0.2.2, mirrors: {files: ["http://mirror.example.org"]}}
          three: {address: 192.0.2.3, profile: llm_off}
          four: {address: 192.0.2.4, arch: arm64}
        """
    )
    found = needed(_of(inventory))
    assert len({it.item.key for it in found}) == len(found)

    def hosts(kind: str, name: str) -> list[tuple[str, ...]]:
        return [it.hosts for it in found if it.item.kind == kind and it.item.name == name]

    assert hosts(kinds.FILE, "ollama 0.24.0") == [("one", "two"), ("four",)]
    assert hosts(kinds.MANIFEST, "manifest of gemma3:4b") == [("one", "two", "four")]
    assert hosts(kinds.PACKAGE, "aiohttp 3.13.3") == [("one", "two", "three"), ("four",)]
    ollama = next(it.item for it in found if it.item.name == "ollama 0.24.0")
    assert [it.split("/")[2] for it in ollama.origins] == ["github.com", "mirror.example.org"]
    assert {it.item.kind for it in unpinned(found)} == {kinds.DEBIAN, kinds.UI}


def test_a_fleet_needs_what_one_of_its_hosts_does(loaded: Load) -> None:
    many = "".join(f"  box{n}: {{address: 192.0.2.{n}}}\n" for n in range(1, 9))
    one = needed(_of(loaded("hosts:\n  box1: {address: 192.0.2.1}\n")))
    assert [it.item for it in needed(_of(loaded(f"hosts:\n{many}")))] == [it.item for it in one]


def test_what_is_needed_can_be_written_down(loaded: Load) -> None:
    found = needed(_of(loaded("hosts:\n  box1: {address: 192.0.2.1}\n")))
    written = [{**vars(it.item), "hosts": it.hosts} for it in found]
    again = [
        Needed(Item(**{k: _tuple(v) for k, v in it.items() if k != "hosts"}), ("box1",))
        for it in json.loads(json.dumps(written))
    ]
    assert again == found


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def test_a_lock_is_read_with_extras_markers_and_comments() -> None:
    lock = (
        "# a comment\nZope.Interface[test]==7.2 ; python_version < '3.13' \\\n"
        f"    --hash=sha256:{'a' * 64} \\\n    --hash=sha256:{'b' * 64}\n    # via x\nsix==1.17.0\n"
    )
    first, second = packages(lock)
    assert (first.name, first.version, len(first.digests)) == ("zope-interface", "7.2", 2)
    assert (second.version, second.digests) == ("1.17.0", ())


@pytest.mark.parametrize(
    ("entry", "arch", "comes"),
    [
        ({"os": ["darwin", "linux"], "cpu": ["x64"]}, "amd64", True),
        ({"os": ["!win32"]}, "arm64", True),
        ({"cpu": ["!arm64"]}, "arm64", False),
        ({"libc": ["musl"]}, "amd64", False),
        ({"libc": ["glibc"], "cpu": ["arm64"]}, "amd64", False),
        ({"link": True}, "amd64", False),
        ({"inBundle": True}, "amd64", False),
    ],
)
def test_npm_installs_what_is_for_this_platform(entry: dict[str, object], arch: str, comes: bool) -> None:
    one = {"version": "1.0.0", "integrity": "sha512-x", **entry}
    lock = json.dumps({"packages": {"": {}, "node_modules/a": one}})
    assert bool(tarballs(lock, arch)) == comes


def test_a_manifest_names_its_parts() -> None:
    part = {"digest": f"sha256:{'a' * 64}", "size": 7}
    assert [it.size for it in blobs({"config": part, "layers": [part]})] == [7, 7]
    assert [it.sha256 for it in blobs({"manifests": [part]})] == ["a" * 64]
