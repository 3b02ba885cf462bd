"""What the store's host holds: only what was verified, each content once, and nothing that nobody needs."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

from engine import remote
from lab.upstream_files import FilesHandler
from lab.upstream_http import Fault, RequestLog, Upstream
from roles.store.deploy import MODULES
from roles.store.scripts import wheels
from roles.store.server import SCRIPTS, TENDING

ITEM = {"name": "a file", "kind": "file", "size": 0, "fits": [], "unpinned": ""}


def digest(content: bytes) -> str:
    """The digest of a content, as an item has it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _without_id(item: dict[str, Any]) -> dict[str, Any]:
    """As a run sends it: its id stands beside it."""
    return {name: value for name, value in item.items() if name != "id"}


@dataclass
class Store:
    """A store in a folder, and an upstream that it is filled from."""

    root: Path
    upstream: Upstream
    served: Path
    wanted: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The upstream's address."""
        return f"http://127.0.0.1:{self.upstream.server_address[1]}"

    def wants(self, at: str, content: bytes, /, **changes: Any) -> dict[str, Any]:
        """Publish a content, and want it: as a file of this name, unless something else is said."""
        self.publish(at, content)
        item = {**ITEM, "name": at, "digests": [digest(content)], "face": f"files/{at}"}
        item |= {
            "origins": [f"{self.url}/{at}"],
            "id": hashlib.sha256(at.encode()).hexdigest()[:16],
            **changes,
        }
        self.wanted.append(item)
        return item

    def publish(self, name: str, content: bytes) -> None:
        """Let the upstream have it."""
        path = self.served / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def tend(self, **by_host: list[dict[str, Any]]) -> dict[str, Any]:
        """Tell the store what is wanted."""
        wants = by_host or {"box": self.wanted}
        request = {
            "items": {it["id"]: _without_id(it) for its in wants.values() for it in its},
            "wants": {host: [it["id"] for it in its] for host, its in wants.items()},
            "hosts": list(wants),
        }
        done = self._run("tend.py", TENDING, "note", stdin=json.dumps(request))
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def fill(self) -> subprocess.CompletedProcess[str]:
        """Run the job."""
        self.tend()
        return self._run("fill.py", MODULES, str(self.root / "filled-x"))

    def free(self, *arguments: str) -> dict[str, Any]:
        """What it holds, for whom."""
        answer: dict[str, Any] = json.loads(self._run("free.py", TENDING, *arguments).stdout)
        return answer

    def holds(self, face: str) -> bytes | None:
        """What lies at a face, if anything does."""
        path = self.root / "tree" / face
        return path.read_bytes() if path.exists() else None

    def asked(self) -> list[dict[str, Any]]:
        """The requests that the upstream answered."""
        return [json.loads(line) for line in (self.served.parent / "log").read_text().splitlines()]

    def _run(
        self, script: str, modules: tuple[str, ...], *arguments: str, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        job = self.root.parent / "job"
        job.mkdir(exist_ok=True)
        return subprocess.run(
            [sys.executable, "-I", "-c", remote.program(script, modules, SCRIPTS), *arguments],
            input=stdin,
            env={**os.environ, "VENOM_STORE": str(self.root), "JOB": str(job)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store beside an upstream that serves."""
    root, served = tmp_path / "store", tmp_path / "served"
    root.mkdir()
    served.mkdir()
    server = Upstream(("127.0.0.1", 0), FilesHandler, served, RequestLog(tmp_path / "log"))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Store(root, server, served)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_is_wanted_lies_under_its_digest_and_its_face_and_comes_once(store: Store) -> None:
    store.wants("node.tar", b"node" * 1000)
    assert store.tend()["missing"] == ["node.tar"]
    done = store.fill()
    assert done.returncode == 0, done.stderr
    assert store.holds("files/node.tar") == b"node" * 1000
    assert store.holds(f"sha256/{digest(b'node' * 1000).removeprefix('sha256:')}") == b"node" * 1000
    assert store.tend()["missing"] == []
    assert store.fill().returncode == 0
    assert len(store.asked()) == 1
    assert store.wanted[0]["id"] in (store.root / "tree" / "held.txt").read_text()


def test_what_has_another_digest_is_never_served_and_is_told_by_its_name(store: Store) -> None:
    item = store.wants("node.tar", b"node")
    store.publish("node.tar", b"evil")
    store.wants("ollama.tar", b"ollama")
    done = store.fill()
    assert done.returncode == 1
    assert "found     not had: node.tar" in done.stderr
    assert f"has other content: {digest(b'evil')}" in done.stderr
    assert store.holds(item["face"]) is None
    served = [path.read_bytes() for path in (store.root / "tree").rglob("*") if path.is_file()]
    assert b"evil" not in served
    # What is right came all the same.
    assert store.holds("files/ollama.tar") == b"ollama"
    assert not list((store.root / "incoming").iterdir())


def test_the_next_place_is_asked_where_the_first_lacks_or_spoils_it(store: Store) -> None:
    item = store.wants("node.tar", b"node")
    store.publish("bad.tar", b"other")
    item["origins"] = [f"{store.url}/none.tar", f"{store.url}/bad.tar", item["origins"][0]]
    assert store.fill().returncode == 0
    assert store.holds("files/node.tar") == b"node"


def test_a_connection_that_ends_is_resumed(store: Store) -> None:
    content = os.urandom(1 << 20)
    store.wants("node.tar", content)
    store.upstream.faults.replace([Fault("truncate", times=1)])
    assert store.fill().returncode == 0
    assert store.holds("files/node.tar") == content
    assert sum(it["bytes"] for it in store.asked()) == len(content)


def test_what_was_received_before_a_kill_is_kept_but_not_trusted(store: Store) -> None:
    content = os.urandom(1 << 20)
    item = store.wants("node.tar", content)
    store.tend()
    part = store.root / "incoming" / hashlib.sha256(item["digests"][0].encode()).hexdigest()[:32]
    part.write_bytes(content[: 1 << 19])
    assert store.fill().returncode == 0
    assert sum(it["bytes"] for it in store.asked()) == 1 << 19
    other = store.wants("other.tar", content[::-1])
    part = store.root / "incoming" / hashlib.sha256(other["digests"][0].encode()).hexdigest()[:32]
    part.write_bytes(b"wrong" * 1000)
    assert store.fill().returncode == 0
    assert store.holds("files/other.tar") == content[::-1]


def test_a_full_disk_is_told_and_what_was_just_received_goes(store: Store) -> None:
    store.wants("small.tar", b"small")
    big = store.wants("big.tar", os.urandom(1 << 20))
    store.tend()
    part = store.root / "incoming" / hashlib.sha256(big["digests"][0].encode()).hexdigest()[:32]
    part.symlink_to("/dev/full")
    done = store.fill()
    assert done.returncode == 1
    assert done.stderr.startswith("required  more room in ")
    assert "do        make it larger, or free some" in done.stderr
    assert store.holds("files/big.tar") is None
    assert not list((store.root / "incoming").iterdir())
    assert store.fill().returncode == 0
    assert store.holds("files/big.tar") is not None


def _model(store: Store) -> dict[str, Any]:
    blobs = [b"weights" * 100, b"template", b"config"]
    for blob in blobs:
        store.publish(f"v2/library/gemma3/blobs/{digest(blob)}", blob)
    layers = [{"digest": digest(it), "size": len(it)} for it in blobs]
    manifest = json.dumps({"config": layers[2], "layers": layers[:2]}).encode()
    face = "v2/library/gemma3/manifests/4b"
    return store.wants(face, manifest, kind="manifest", face=face)


def test_a_model_is_served_once_all_that_its_manifest_names_is_there(store: Store) -> None:
    item = _model(store)
    spoilt = f"v2/library/gemma3/blobs/{digest(b'template')}"
    store.publish(spoilt, b"damaged")
    assert store.fill().returncode == 1
    assert store.holds(item["face"]) is None
    store.publish(spoilt, b"template")
    assert store.fill().returncode == 0
    assert store.holds(item["face"]) is not None
    assert store.holds(spoilt) == b"template"
    # A part that is lost is asked for again.
    (store.root / "tree" / "sha256" / digest(b"template").removeprefix("sha256:")).unlink()
    assert store.tend()["missing"] == [item["name"]]


def test_of_an_image_comes_what_the_fleets_architectures_need_each_with_its_type(store: Store) -> None:
    oci = "application/vnd.oci.image"

    def publish(kind: str, content: bytes) -> dict[str, Any]:
        store.publish(f"v2/a/b/{kind}/{digest(content)}", content)
        return {"digest": digest(content), "size": len(content)}

    listed = []
    for arch in ("amd64", "arm64", "unknown"):
        parts = {"config": publish("blobs", arch.encode()), "layers": [publish("blobs", b"layer")]}
        manifest = json.dumps({"mediaType": f"{oci}.manifest.v1+json", **parts}).encode()
        listed.append({**publish("manifests", manifest), "platform": {"os": "linux", "architecture": arch}})
    index = json.dumps({"manifests": listed}).encode()
    face = f"v2/a/b/manifests/{digest(index)}"
    store.wants(face, index, kind="image", face=face, fits=["amd64"])
    assert store.fill().returncode == 0
    assert store.holds(face) == index
    held = {arch: store.holds(f"v2/a/b/blobs/{digest(arch.encode())}") for arch in ("amd64", "arm64")}
    assert held == {"amd64": b"amd64", "arm64": None}
    assert store.holds(f"types/vnd-oci-image-index-v1-json/{face}") == index
    own = f"v2/a/b/manifests/{listed[0]['digest']}"
    assert store.holds(f"types/vnd-oci-image-manifest-v1-json/{own}") is not None
    assert store.tend()["missing"] == []
    assert store.free("purge")["freed_bytes"] == 0
    assert store.holds(own) is not None


def test_a_package_comes_as_the_file_that_the_host_would_take_with_a_page_that_names_it(store: Store) -> None:
    names = ["a-1-cp312-cp312-macosx_11_0_arm64.whl", "a-1-py3-none-any.whl", "a-1.tar.gz"]
    best = "a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    files = {name: name.encode() for name in (*names, best)}
    for name, content in files.items():
        store.publish(f"files/{name}", content)
    links = [f'<a href="/files/{it}#{digest(c).replace(":", "=")}">x</a>' for it, c in files.items()]
    store.wants(
        "simple/a",
        "".join(links).encode(),
        name="a 1",
        kind="package",
        face="pypi/a/",
        fits=["3.12", "amd64"],
        digests=[digest(it) for it in files.values()],
    )
    assert store.fill().returncode == 0, store.fill().stderr
    assert store.holds(f"pypi/a/{best}") == best.encode()
    page = (store.holds("pypi/a/index.html") or b"").decode()
    assert wheels.files_of("http://store/pypi/a/", page) == [
        (best, f"http://store/pypi/a/{best}", digest(best.encode()))
    ]
    assert [it["path"] for it in store.asked()] == ["/simple/a", f"/files/{best}"]


def test_a_tarball_is_verified_by_npms_own_digest_and_found_by_its_name(store: Store) -> None:
    content = b"tarball"
    integrity = f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"
    changes = {"kind": "tarball", "face": "npm/@a/b/-/b-1.0.0.tgz", "digests": [integrity]}
    store.wants("b.tgz", content, name="@a/b 1.0.0", **changes)
    assert store.fill().returncode == 0
    assert store.holds("npm/@a/b/-/b-1.0.0.tgz") == content
    answer = json.loads(store.holds("npm/@a/b/index.json") or b"{}")
    assert answer["versions"]["1.0.0"]["dist"]["integrity"] == integrity
    assert store.tend()["missing"] == []


def test_what_no_host_wants_is_counted_and_freed_and_the_rest_stays(store: Store) -> None:
    model, old, new = _model(store), store.wants("old.tar", b"old" * 100), store.wants("new.tar", b"new")
    store.tend(one=[model, old], two=[new])
    assert store._run("fill.py", MODULES, str(store.root / "filled-x")).returncode == 0
    assert store.free()["hosts"] == {"one": 2, "two": 1}
    assert store.free()["unneeded"] == 0
    store.tend(one=[model], two=[new])
    assert (store.free()["unneeded"], store.free()["unneeded_bytes"]) == (1, 300)
    assert store.holds("files/old.tar") is not None
    assert store.free("purge")["freed_bytes"] == 300
    assert store.free()["unneeded"] == 0
    assert store.holds("files/old.tar") is None
    assert store.holds("files/new.tar") == b"new"
    assert store.tend(one=[model], two=[new])["missing"] == []
    assert old["id"] not in (store.root / "tree" / "held.txt").read_text()


def test_of_what_is_large_there_is_a_list_of_its_pieces_as_long_as_it_is_held(store: Store) -> None:
    piece = 1 << 20
    large, small = os.urandom(16 * piece + 1), os.urandom(16 * piece - 1)
    store.wants("large.tar", large)
    store.wants("small.tar", small)
    assert store.fill().returncode == 0
    name = digest(large).removeprefix("sha256:")
    size, each, *sums = (store.holds(f"pieces/{name}") or b"").decode().split()
    assert (int(size), int(each)) == (len(large), piece)
    pieces = [large[begin : begin + piece] for begin in range(0, len(large), piece)]
    assert sums == [digest(it).removeprefix("sha256:") for it in pieces]
    assert store.holds(f"pieces/{digest(small).removeprefix('sha256:')}") is None
    # A store that was filled before there were any, or from a bundle.
    (store.root / "tree" / "pieces" / name).unlink()
    assert (store.tend()["missing"], store.tend()["unlisted"]) == ([], 1)
    assert store.fill().returncode == 0
    assert store.tend()["unlisted"] == 0
    store.tend(box=[])
    store.free("purge")
    assert store.holds(f"pieces/{name}") is None


def test_a_host_that_left_the_inventory_wants_nothing_and_one_that_is_unknown_is_asked_for(
    store: Store,
) -> None:
    item = store.wants("node.tar", b"node")
    store.tend(one=[item], two=[item])
    request = json.dumps({"items": {}, "wants": {}, "hosts": ["two", "three"]})
    looked = json.loads(store._run("tend.py", TENDING, stdin=request).stdout)
    assert (looked["unknown"], looked["recorded"]) == (["three"], False)
    assert len(list((store.root / "wanted").iterdir())) == 2, "who only looks changes nothing"
    store._run("tend.py", TENDING, "note", stdin=request)
    assert sorted(it.name for it in (store.root / "wanted").iterdir()) == ["two.json"]


NAMES = (
    *("a-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "a-1-py3-none-any.whl"),
    *("a-1-cp312-cp312-manylinux_2_28_x86_64.whl", "a-1-cp39-abi3-manylinux_2_28_x86_64.whl"),
    *("a-1-cp311-cp311-manylinux_2_17_x86_64.whl", "a-1-cp38-abi3-manylinux1_x86_64.whl"),
    *(
        "a-1-py2.py3-none-any.whl",
        "a-1-py3-none-manylinux_2_12_x86_64.whl",
        "a-1-cp312-abi3-linux_x86_64.whl",
    ),
    *("a-1-cp312-none-any.whl", "a-1-cp313-cp313-manylinux_2_17_x86_64.whl", "a-1-py312-none-any.whl"),
    *("a-1-cp312-cp312-musllinux_1_2_x86_64.whl", "a-1-cp312-cp312-manylinux_2_17_aarch64.whl"),
    *("a-1-cp310-none-manylinux2010_x86_64.whl", "a-1-cp313-abi3-manylinux_2_28_x86_64.whl"),
)


def test_wheels_rank_as_the_packaging_library_ranks_them() -> None:
    old = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}
    platforms = [
        name
        for minor in range(wheels.GLIBC_MINOR, 4, -1)
        for name in (f"manylinux_2_{minor}_x86_64", *([f"{old[minor]}_x86_64"] if minor in old else []))
    ] + ["linux_x86_64"]
    tags = [*cpython_tags((3, 12), ["cp312"], platforms), *compatible_tags((3, 12), "cp312", platforms)]
    place = {tag: number for number, tag in enumerate(tags)}

    def theirs(name: str) -> int | None:
        return min((place[tag] for tag in parse_wheel_filename(name)[3] if tag in place), default=None)

    suit = [name for name in NAMES if theirs(name) is not None]
    assert [name for name in NAMES if wheels.rank(name, "3.12", "amd64") is not None] == suit
    ranked = sorted(suit, key=lambda name: (theirs(name) or 0, name))
    assert sorted(suit, key=lambda name: (wheels.rank(name, "3.12", "amd64"), name)) == ranked
    assert wheels.best(["a-1.tar.gz", "a-1-cp313-cp313-win_amd64.whl"], ("3.12", "amd64")) == "a-1.tar.gz"
