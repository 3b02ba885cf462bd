"""Hosts pass large contents on: in pieces, down a chain, and never a byte that is wrong."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine import pieces, remote
from engine.pieces import Passing
from lab.upstream_files import FilesHandler
from lab.upstream_http import Fault, RequestLog, Upstream
from tests.engine.test_scripts import check

_PIECE = 512 << 10
_CONTENT = os.urandom(10 * _PIECE + 1000)
_DIGEST = hashlib.sha256(_CONTENT).hexdigest()


@dataclass
class Fleet:
    """A store and hosts above, each a server over a folder; and the folder of the host that asks them."""

    root: Path
    servers: dict[str, Upstream] = field(default_factory=dict)

    @property
    def into(self) -> Path:
        """Where the job wants it."""
        return self.root / "blobs" / _DIGEST

    @property
    def kept(self) -> Path:
        """Where it lies for others."""
        return self.root / "own" / _DIGEST

    def put(self, name: str, content: bytes) -> Path:
        """Let a host have this much of the content."""
        path = self.root / name / "sha256" / _DIGEST
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def listed(self, piece: int = _PIECE, content: bytes = _CONTENT) -> None:
        """Let the store have it, and the list of its pieces."""
        self.put("store", content)
        sums = [hashlib.sha256(content[it : it + piece]).hexdigest() for it in range(0, len(content), piece)]
        path = self.root / "store" / "pieces" / _DIGEST
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join([str(len(content)), str(piece), *sums, ""]))

    def url(self, name: str) -> str:
        """Of a host that serves."""
        return f"http://127.0.0.1:{self.servers[name].server_address[1]}"

    def fetch(self, *places: str) -> str:
        """Ask these, and the store. Returns what was printed."""
        for name in ("own", "job"):
            (self.root / name).mkdir(exist_ok=True)
        arguments = [str(self.root / "own"), _DIGEST, str(self.into)]
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-", *arguments, *places, self.url("store")],
            input=remote.script("fetch_pieces.py"),
            env={**os.environ, "JOB": str(self.root / "job")},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    def sent(self, name: str) -> int:
        """The bytes of the content that a host has sent."""
        lines = (self.root / f"{name}.log").read_text().splitlines()
        return sum(it["bytes"] for it in map(json.loads, lines) if "/sha256/" in it["path"])


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """A store that has the content, and two hosts that have nothing yet."""
    with ExitStack() as stack:
        found = Fleet(tmp_path)
        for name in ("store", "near", "far"):
            found.servers[name] = stack.enter_context(_served(tmp_path / name, tmp_path / f"{name}.log"))
        found.listed()
        yield found


@contextmanager
def _served(folder: Path, log: Path) -> Iterator[Upstream]:
    folder.mkdir()
    server = Upstream(("127.0.0.1", 0), FilesHandler, folder, RequestLog(log))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_content_comes_from_the_host_above_and_may_be_had_from_here_then(fleet: Fleet) -> None:
    fleet.put("near", _CONTENT)
    assert fleet.fetch(fleet.url("near")) == ""
    assert fleet.into.read_bytes() == _CONTENT
    assert fleet.kept.samefile(fleet.into), "it takes its room once"
    assert fleet.sent("near") == len(_CONTENT)
    assert fleet.sent("store") == 0


def test_it_comes_while_the_host_above_still_fetches_it(fleet: Fleet) -> None:
    growing = fleet.put("near", b"")

    def grow() -> None:
        with growing.open("ab") as file:
            for begin in range(0, len(_CONTENT), _PIECE):
                time.sleep(0.1)
                file.write(_CONTENT[begin : begin + _PIECE])
                file.flush()

    thread = threading.Thread(target=grow)
    thread.start()
    seen = []
    watching = threading.Thread(target=lambda: seen.append(_watched(fleet.kept)))
    watching.start()
    fleet.fetch(fleet.url("near"))
    thread.join()
    watching.join()
    assert fleet.into.read_bytes() == _CONTENT
    assert fleet.sent("store") == 0
    assert seen[0] < len(_CONTENT), "others may have the first pieces before the last has come"


def _watched(path: Path) -> int:
    """How much of a file is there when the first of it is."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if path.exists() and (size := path.stat().st_size):
            return size
        time.sleep(0.01)
    return 0


# Who breaks off half-way has given five pieces, and a half that counts for nothing.
@pytest.mark.parametrize(("fault", "given"), [("wrong", 0), ("truncate", 5), ("hang", 5), ("busy", 0)])
def test_a_host_that_lies_or_breaks_off_is_left_and_no_wrong_byte_stays(
    fleet: Fleet, fault: str, given: int
) -> None:
    fleet.put("near", _CONTENT)
    fleet.put("far", _CONTENT)
    fleet.servers["near"].faults.replace([Fault(fault)])
    printed = fleet.fetch(fleet.url("near"), fleet.url("far"))
    assert fleet.into.read_bytes() == _CONTENT
    assert fleet.url("near") in printed
    assert fleet.sent("far") == len(_CONTENT) - given * _PIECE
    assert fleet.sent("store") == 0


def test_a_host_that_is_dead_is_passed_over(fleet: Fleet) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{free.getsockname()[1]}"
    fleet.fetch(dead)
    assert fleet.into.read_bytes() == _CONTENT
    assert fleet.sent("store") == len(_CONTENT)


def test_a_host_that_is_slow_is_compared_with_the_next_and_left(fleet: Fleet) -> None:
    piece = 64 << 10
    fleet.listed(piece)
    fleet.put("near", _CONTENT)
    fleet.servers["near"].faults.replace([Fault("slow")])
    fleet.fetch(fleet.url("near"))
    assert fleet.into.read_bytes() == _CONTENT
    assert fleet.sent("store") == len(_CONTENT) - 16 * piece


def test_where_the_stores_list_is_of_other_content_nothing_is_kept(fleet: Fleet) -> None:
    fleet.listed(content=_CONTENT[::-1])
    assert "the store's list of pieces is of other content" in fleet.fetch()
    assert not fleet.into.exists()
    assert not fleet.kept.exists()


def test_what_was_there_before_is_kept_as_far_as_it_is_right(fleet: Fleet) -> None:
    fleet.put("near", _CONTENT)
    fleet.kept.parent.mkdir()
    fleet.kept.write_bytes(_CONTENT[: 4 * _PIECE] + b"wrong" * 100)
    fleet.fetch(fleet.url("near"))
    assert fleet.into.read_bytes() == _CONTENT
    assert fleet.sent("near") == len(_CONTENT) - 4 * _PIECE


def test_a_store_without_a_list_leaves_it_to_the_job(fleet: Fleet) -> None:
    (fleet.root / "store" / "pieces" / _DIGEST).unlink()
    assert fleet.fetch(fleet.url("near")).startswith("not passed on: the store has no list")
    assert not fleet.into.exists()


def test_where_all_places_fail_what_came_stays_for_the_next_run(fleet: Fleet) -> None:
    fleet.kept.parent.mkdir()
    fleet.kept.write_bytes(_CONTENT[: 3 * _PIECE])
    fleet.servers["store"].faults.replace([Fault("gone", "/sha256/")])
    fleet.fetch()
    assert fleet.kept.read_bytes() == _CONTENT[: 3 * _PIECE]
    assert not fleet.into.exists()


def test_every_host_asks_the_one_before_it_then_those_before_that_and_the_store_at_last() -> None:
    urls = [(f"box{it}", f"http://box{it}") for it in range(1, 9)]
    last = ("http://box7", "http://box6", "http://box5", "http://store")
    assert pieces.places_of("box8", urls, "http://store") == last
    assert pieces.places_of("box2", urls, "http://store") == ("http://box1", "http://store")
    assert pieces.places_of("box1", urls, "http://store") == ("http://store",)
    assert pieces.places_of("other", urls, "http://store") == ("http://store",)


def test_the_lines_of_a_job_are_sound_and_none_where_nothing_is_passed_on() -> None:
    passing = Passing(("http://192.0.2.2:8800", "http://192.0.2.1:8800"), "a" * 64, "")
    text = pieces.lines(passing, passing.archive, "/var/cache/it's/part")
    assert check(f"{remote.script('job.sh')}\n{text}", "bash", "SC2016") == ""
    assert pieces.lines(passing, passing.layer, "/var/x") == ""
    assert pieces.lines(None, "a" * 64, "/var/x") == ""
