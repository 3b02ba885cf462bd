"""The store has of Debian's archive what hosts install, verified by what Debian signed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from engine import remote
from roles.store.deploy import MODULES
from roles.store.scripts import archive
from roles.store.server import SCRIPTS, TENDING
from tests.debian_archive import CODENAME, HAS_TOOLS, TOOLS, Archived
from tests.fleet.bundle.places import places

pytestmark = pytest.mark.skipif(not HAS_TOOLS, reason=f"{', '.join(TOOLS)} make archives")
POOL = "debian/pool/main/nginx/nginx_1.0+b1_amd64.deb"


@dataclass
class Store:
    """A store that is filled from an archive on the loopback."""

    root: Path
    debian: Archived
    places: list[str] = field(default_factory=list)

    def wants(self, *names: str) -> dict[str, Any]:
        """Note what a host wants of Debian; gives what the store says to it."""
        item = {"kind": "debian", "digests": [], "size": 0, "face": "debian/", "unpinned": ""}
        item |= {"fits": [CODENAME, "amd64"], "origins": self.places or [self.debian.held.url]}
        items = {f"id-of-{name}": {**item, "name": name} for name in names}
        request = json.dumps({"items": items, "wants": {"box": list(items)}, "hosts": ["box"]})
        answer: dict[str, Any] = json.loads(self.run("tend.py", TENDING, "note", stdin=request).stdout)
        return answer

    def fill(self) -> subprocess.CompletedProcess[str]:
        """Run the job."""
        return self.run("fill.py", MODULES, str(self.root / "filled-x"))

    def holds(self, face: str) -> bytes | None:
        """What lies at a face, if anything does."""
        path = self.root / "tree" / face
        return path.read_bytes() if path.exists() else None

    def run(
        self, script: str, modules: tuple[str, ...], *arguments: str, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """One of the store's programs, on a machine whose own apt knows no source."""
        job, apt = self.root.parent / "job", self.root.parent / "machine.conf"
        job.mkdir(exist_ok=True)
        apt.write_text('Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "/dev/null";\n')
        own = {"VENOM_STORE": self.root, "VENOM_KEYRING": self.debian.keyring, "JOB": job, "APT_CONFIG": apt}
        return subprocess.run(
            [sys.executable, "-I", "-c", remote.program(script, modules, SCRIPTS), *arguments],
            input=stdin,
            env={**os.environ, **{name: str(it) for name, it in own.items()}},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store, and Debian's archive."""
    (tmp_path / "store").mkdir()
    with places() as held:
        debian = Archived(held, tmp_path)
        yield Store(tmp_path / "store", debian)
        debian.close()


def test_what_a_host_installs_comes_with_what_it_depends_on_and_with_debians_signature(store: Store) -> None:
    assert store.wants("nginx")["missing"] == ["nginx"]
    done = store.fill()
    assert done.returncode == 0, done.stderr
    assert store.holds(POOL) == store.debian.held.files[POOL]
    assert store.holds(POOL.replace("/nginx", "/nginx-common")) is not None
    assert store.holds(POOL.replace("nginx", "games")) is None
    for root, suite in archive.suites(CODENAME):
        signed = store.holds(archive.release(root, suite))
        assert signed == store.debian.held.files[archive.release(root, suite)]
    signed = store.holds(archive.release("debian", CODENAME)) or b""
    listed = archive.index("debian", CODENAME, "amd64", signed.decode())
    assert listed
    assert all(store.holds(face) == store.debian.held.files[listed.faces[0]] for face in listed.faces)
    assert store.wants("nginx")["missing"] == []
    assert "id-of-nginx debian nginx" in (store.root / "tree" / "held.txt").read_text()
    assert not list((store.root / "incoming").iterdir())


def test_what_the_tree_has_is_not_fetched_again(store: Store) -> None:
    store.wants("nginx")
    store.fill()
    store.wants("nginx", "games")
    assert store.fill().returncode == 0
    assert store.holds(POOL.replace("nginx", "games")) is not None
    assert store.debian.held.requests[POOL] == 1
    store.debian.held.requests.clear()
    assert store.wants("nginx", "games")["stale"] is False
    store.fill()
    assert not store.debian.held.requests, "what was asked for within a day is not asked for again"


def test_a_package_that_is_not_what_debian_signed_is_never_served_and_is_named(store: Store) -> None:
    right = store.debian.held.files[POOL]
    store.debian.held.files[POOL] = right[:-1] + b"x"
    store.wants("nginx")
    done = store.fill()
    assert done.returncode == 1
    assert "found     not had: nginx" in done.stderr
    assert store.holds(POOL) is None
    assert store.holds("debian/dists/bookworm/InRelease") is None
    store.debian.held.files[POOL] = right
    store.places = ["http://127.0.0.1:1", store.debian.held.url]
    store.wants("nginx")
    assert store.fill().returncode == 0
    assert store.holds(POOL) == right, "the next place is asked where the first does not answer"


def test_an_archive_that_somebody_else_signed_is_not_served(store: Store, tmp_path: Path) -> None:
    (tmp_path / "eve").mkdir()
    other = Archived(store.debian.held, tmp_path / "eve")
    assert other.keyring != store.debian.keyring
    store.wants("nginx")
    done = store.fill()
    assert done.returncode == 1
    assert "NO_PUBKEY" in done.stderr
    assert store.holds("debian/dists/bookworm/InRelease") is None


def test_after_a_day_debian_is_asked_again_and_what_the_store_has_stays_where_it_does_not_answer(
    store: Store,
) -> None:
    store.wants("nginx")
    store.fill()
    record = store.root / "tree" / archive.record(CODENAME)
    os.utime(record, (1, 1))
    assert store.wants("nginx")["stale"] is True
    held, store.debian.held.files = store.debian.held.files, {}
    done = store.fill()
    assert done.returncode == 0, done.stderr
    assert "Debian's packages stay as they are" in done.stdout
    assert store.wants("nginx")["missing"] == []
    store.debian.held.files = held
    store.debian.publish("debian-security", "bookworm-security", "")
    assert store.fill().returncode == 0
    face = "debian-security/dists/bookworm-security/InRelease"
    assert store.holds(face) == held[face]
    assert store.wants("nginx")["stale"] is False


def test_a_lost_package_is_fetched_again_and_purge_keeps_all_that_a_wanted_one_needs(store: Store) -> None:
    store.wants("nginx")
    store.fill()
    assert store.run("free.py", TENDING, "purge").returncode == 0
    assert store.wants("nginx")["missing"] == []
    (store.root / "tree" / POOL).resolve().unlink()
    assert store.wants("nginx")["missing"] == ["nginx"]
    assert store.fill().returncode == 0
    assert store.holds(POOL) is not None
    assert store.wants()["missing"] == []
    assert json.loads(store.run("free.py", TENDING, "purge").stdout)["unneeded"] == 0
    left = [it for it in (store.root / "tree").rglob("*") if it.is_file() and it.name != "held.txt"]
    assert left == []


def test_a_machines_own_sources_are_a_place_where_they_have_both_archives() -> None:
    lines = [
        "http://mirror.example.org/debian/ bookworm main",
        "http://mirror.example.org/debian/ bookworm contrib",
        "https://other.example.org/security bookworm-security main",
        "cdrom:[Debian]/ trixie main",
    ]
    place = ("http://mirror.example.org/debian", "https://other.example.org/security")
    assert archive.own("\n".join(lines), "bookworm") == place
    assert archive.own("\n".join(lines[:2]), "bookworm") is None
    assert archive.own("\n".join(lines), "trixie") is None
    printed = f"'{place[1]}/pool/updates/main/g/g_1%3a2%2bb1_all.deb' g_1%3a2+b1_all.deb 7 SHA256:{'a' * 64}"
    (deb,) = archive.debs(place, printed)
    assert (deb.name, deb.version, deb.face) == (
        "g",
        "1:2+b1",
        "debian-security/pool/updates/main/g/g_1:2+b1_all.deb",
    )
    face = archive.release("debian-security", "bookworm-security")
    assert archive.list_file(place, face) == "other.example.org_security_dists_bookworm-security_InRelease"
