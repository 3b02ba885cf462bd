"""The lab's upstream serves files as publishers do, makes faults on request, and logs every byte."""

from __future__ import annotations

import http.client
import json
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import upstream_work
from lab.upstream_files import FilesHandler
from lab.upstream_http import FileHandler, RequestLog, Upstream
from lab.upstream_image_registry import ImagesHandler
from lab.upstream_registry import MANIFEST, RegistryHandler

pytestmark = pytest.mark.of_the_lab

DATA = bytes(range(256)) * 2000
OCI = "application/vnd.oci.image.manifest.v1+json"
MANIFEST_DIGEST, LAYER_DIGEST = "c" * 64, "d" * 64
PATH = "/github.com/o/r/releases/download/1/cpython-3.12%2B1.tar.gz"


def serving(handler: type[FileHandler], root: Path) -> Iterator[Upstream]:
    """A server until the test ends."""
    log = RequestLog(root.parent / "requests.log")
    with Upstream(("127.0.0.1", 0), handler, root, log) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Upstream]:
    """A file server with one file, whose name has a plus in it."""
    root = tmp_path / "files"
    file = root / PATH.replace("%2B", "+").lstrip("/")
    file.parent.mkdir(parents=True)
    file.write_bytes(DATA)
    (tmp_path / "secret").write_text("not served")
    yield from serving(FilesHandler, root)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Upstream]:
    """A registry with one manifest and one blob."""
    root = tmp_path / "registry"
    (root / "manifests/library/gemma3").mkdir(parents=True)
    (root / "manifests/library/gemma3/270m").write_text("{}")
    (root / "blobs").mkdir()
    (root / "blobs" / f"sha256-{'a' * 64}").write_bytes(DATA)
    yield from serving(RegistryHandler, root)


@pytest.fixture
def images(tmp_path: Path) -> Iterator[Upstream]:
    """The door to a registry of images, in whose store lie a tagged manifest and a layer."""
    store = tmp_path / "store"
    for digest, data in ((MANIFEST_DIGEST, json.dumps({"mediaType": OCI}).encode()), (LAYER_DIGEST, DATA)):
        blob = store / "blobs" / "sha256" / digest[:2] / digest / "data"
        blob.parent.mkdir(parents=True)
        blob.write_bytes(data)
    known = store / "repositories" / "ollama" / "ollama"
    links = {
        f"_manifests/revisions/sha256/{MANIFEST_DIGEST}/link": MANIFEST_DIGEST,
        "_manifests/tags/1.0/current/link": MANIFEST_DIGEST,
        f"_layers/sha256/{LAYER_DIGEST}/link": LAYER_DIGEST,
    }
    for link, digest in links.items():
        (known / link).parent.mkdir(parents=True, exist_ok=True)
        (known / link).write_text(f"sha256:{digest}")
    yield from serving(ImagesHandler, store)


class Answer:
    """What a server answered to one request; `data` is what came before the connection ended."""

    def __init__(self, server: Upstream, path: str, method: str = "GET", **options: Any) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
        connection.request(method, path, **options)
        answer = connection.getresponse()
        self.status, self.headers, self.broken = answer.status, answer.headers, False
        try:
            self.data = answer.read()
        except http.client.IncompleteRead as error:
            self.data, self.broken = error.partial, True
        except TimeoutError:
            self.data, self.broken = b"", True
        connection.close()


def test_a_file_is_served_whole_with_its_length(files: Upstream) -> None:
    answer = Answer(files, PATH)
    assert (answer.status, answer.data) == (200, DATA)
    assert answer.headers["Content-Length"] == str(len(DATA))
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_head_sends_the_length_and_no_body(files: Upstream) -> None:
    answer = Answer(files, PATH, "HEAD")
    assert (answer.status, answer.headers["Content-Length"], answer.data) == (200, str(len(DATA)), b"")


@pytest.mark.parametrize(
    ("range_asked", "expected"),
    [("bytes=0-9", DATA[:10]), ("bytes=500000-", DATA[500000:]), ("bytes=-7", DATA[-7:])],
)
def test_a_range_is_served_as_asked(files: Upstream, range_asked: str, expected: bytes) -> None:
    answer = Answer(files, PATH, headers={"Range": range_asked})
    assert (answer.status, answer.data) == (206, expected)
    assert answer.headers["Content-Range"].endswith(f"/{len(DATA)}")


def test_a_range_beyond_the_end_is_416(files: Upstream) -> None:
    answer = Answer(files, PATH, headers={"Range": f"bytes={len(DATA)}-"})
    assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{len(DATA)}")


@pytest.mark.parametrize("path", ["/github.com/none", "/../secret", "/%2e%2e/secret", "/github.com"])
def test_nothing_but_files_below_the_root_is_served(files: Upstream, path: str) -> None:
    assert Answer(files, path).status == 404


def test_a_connection_serves_several_requests(files: Upstream) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", files.server_port, timeout=5)
    for _ in range(3):
        connection.request("GET", PATH)
        assert connection.getresponse().read() == DATA
    connection.close()


def test_a_truncated_file_promises_more_than_it_sends(files: Upstream) -> None:
    answer = Answer(files, f"/_fault/truncate{PATH}")
    assert answer.headers["Content-Length"] == str(len(DATA))
    assert (answer.broken, answer.data) == (True, DATA[: len(DATA) // 2])


def test_a_wrong_file_is_as_long_as_the_right_one(files: Upstream) -> None:
    answer = Answer(files, f"/_fault/wrong{PATH}")
    assert len(answer.data) == len(DATA)
    assert answer.data != DATA


def test_a_hanging_file_stops_and_keeps_the_connection(files: Upstream) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", files.server_port, timeout=0.5)
    connection.request("GET", f"/_fault/hang{PATH}")
    answer = connection.getresponse()
    assert len(answer.read(len(DATA) // 2)) == len(DATA) // 2
    with pytest.raises(TimeoutError):
        answer.read(1)
    connection.close()


@pytest.mark.parametrize(("kind", "status"), [("gone", 404), ("busy", 503), ("nonsense", 404)])
def test_a_mirror_can_be_gone_or_busy(files: Upstream, kind: str, status: int) -> None:
    assert Answer(files, f"/_fault/{kind}{PATH}").status == status


def test_a_fault_by_the_control_address_ends_after_so_many_requests(files: Upstream) -> None:
    faults = json.dumps([{"kind": "busy", "contains": "cpython", "times": 2}])
    assert Answer(files, "/_lab/faults", "PUT", body=faults).status == 200
    assert [Answer(files, PATH).status for _ in range(3)] == [503, 503, 200]


def test_a_fault_concerns_the_client_it_names(files: Upstream) -> None:
    faults = json.dumps([{"kind": "gone", "client": "10.77.0.11"}])
    Answer(files, "/_lab/faults", "PUT", body=faults)
    assert Answer(files, PATH).status == 200
    Answer(files, "/_lab/faults", "PUT", body=faults.replace("10.77.0.11", "127.0.0.1"))
    assert Answer(files, PATH).status == 404
    Answer(files, "/_lab/faults", "DELETE")
    assert Answer(files, PATH).status == 200


def test_the_faults_of_one_client_are_set_and_taken_back_without_those_of_others(files: Upstream) -> None:
    for client in ("10.77.0.11", "10.77.0.12"):
        fault = json.dumps([{"kind": "gone", "client": client}])
        Answer(files, f"/_lab/faults?client={client}", "PUT", body=fault)
    Answer(files, "/_lab/faults?client=10.77.0.11", "DELETE")
    left = json.loads(Answer(files, "/_lab/faults").data)
    assert [it["client"] for it in left] == ["10.77.0.12"]
    Answer(files, "/_lab/faults", "DELETE")


def test_a_fault_nobody_knows_is_refused(files: Upstream) -> None:
    answer = Answer(files, "/_lab/faults", "PUT", body='[{"kind": "flood"}]')
    assert (answer.status, answer.data) == (400, b"no such fault: flood\n")


def test_the_log_says_who_fetched_what_and_how_many_bytes(files: Upstream, tmp_path: Path) -> None:
    Answer(files, PATH)
    Answer(files, f"/_fault/truncate{PATH}")
    Answer(files, PATH, headers={"Range": "bytes=0-9"})
    log = tmp_path / "requests.log"
    deadline = time.monotonic() + 5
    while len(log.read_text().splitlines()) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [entry["bytes"] for entry in entries] == [len(DATA), len(DATA) // 2, 10]
    assert {(entry["client"], entry["server"]) for entry in entries} == {("127.0.0.1", "files")}
    assert entries[0]["path"] == PATH.replace("%2B", "+")


def test_a_manifest_comes_with_its_media_type(registry: Upstream) -> None:
    answer = Answer(registry, "/v2/library/gemma3/manifests/270m")
    assert (answer.status, answer.data, answer.headers["Content-Type"]) == (200, b"{}", MANIFEST)


def test_an_unknown_tag_gives_the_registrys_json_error(registry: Upstream) -> None:
    answer = Answer(registry, "/v2/library/gemma3/manifests/4b")
    assert answer.status == 404
    assert json.loads(answer.data)["errors"][0]["code"] == "MANIFEST_UNKNOWN"


def test_a_blob_says_where_it_lies_and_serves_ranges_of_itself(registry: Upstream) -> None:
    path = f"/v2/library/gemma3/blobs/sha256:{'a' * 64}"
    head = Answer(registry, path, "HEAD")
    assert (head.status, head.headers["Content-Length"]) == (200, str(len(DATA)))
    location = Answer(registry, path).headers["Location"]
    part = Answer(registry, location, headers={"Range": "bytes=5-9"})
    assert (part.status, part.data) == (206, DATA[5:10])


def test_a_blob_nobody_has_is_404(registry: Upstream) -> None:
    answer = Answer(registry, f"/v2/library/gemma3/blobs/sha256:{'b' * 64}")
    assert json.loads(answer.data)["errors"][0]["code"] == "BLOB_UNKNOWN"


@pytest.mark.parametrize("name", ["1.0", f"sha256:{MANIFEST_DIGEST}"])
def test_an_image_is_known_by_its_tag_and_by_its_digest(images: Upstream, name: str) -> None:
    answer = Answer(images, f"/v2/ollama/ollama/manifests/{name}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, OCI)
    assert answer.headers["Docker-Content-Digest"] == f"sha256:{MANIFEST_DIGEST}"
    assert Answer(images, f"/v2/ollama/ollama/blobs/sha256:{LAYER_DIGEST}").data == DATA


def test_an_image_nobody_pushed_gives_the_registrys_json_error(images: Upstream) -> None:
    for path, code in {
        "manifests/2.0": "MANIFEST_UNKNOWN",
        f"manifests/sha256:{'e' * 64}": "MANIFEST_UNKNOWN",
        f"blobs/sha256:{'e' * 64}": "BLOB_UNKNOWN",
        "blobs/../../secret": "BLOB_UNKNOWN",
    }.items():
        answer = Answer(images, f"/v2/ollama/ollama/{path}")
        assert (answer.status, json.loads(answer.data)["errors"][0]["code"]) == (404, code)


@pytest.mark.parametrize("compression", ["gz", "xz"])
def test_an_archive_of_the_same_tree_has_the_same_bytes(tmp_path: Path, compression: str) -> None:
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin" / "tool").write_text("#!/bin/sh\n")
    (tree / "bin" / "alias").symlink_to("tool")
    upstream_work.pack(tree, tmp_path / "one", compression)
    (tree / "bin" / "tool").touch()
    upstream_work.pack(tree, tmp_path / "two", compression)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with tarfile.open(tmp_path / "one") as tar:
        assert [member.name for member in tar] == ["bin", "bin/alias", "bin/tool"]
