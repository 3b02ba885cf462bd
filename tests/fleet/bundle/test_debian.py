"""A part of Debian's archive is one to apt: signed as the whole, with what packages depend on, no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.refusal import RefusedError
from fleet.bundle.bill import bill_of
from fleet.bundle.check import Wanted, check
from fleet.bundle.debian import Archive, archive, records
from fleet.bundle.gathering import Gathering
from fleet.bundle.making import write
from roles.store.scripts.archive import suites
from schemas.data.systems import System, systems
from schemas.plan import item as kinds
from schemas.plan.item import Item, Needed
from tests.debian_archive import CODENAME, HAS_TOOLS, TOOLS, Archived, gpg
from tests.fleet.bundle.conftest import Making, fill_from
from tests.fleet.bundle.places import places
from tests.fleet.bundle.test_store import HELD, run

pytestmark = pytest.mark.skipif(not HAS_TOOLS, reason=f"{', '.join(TOOLS)} make archives")
SYSTEM = systems()["debian 12"]


class Debian(Archived):
    """An archive as Debian has it, of which parts are taken."""

    def part(self, folder: Path, *names: str, system: System = SYSTEM) -> Archive:
        places = ("http://127.0.0.1:1", self.held.url)
        return archive(system, "amd64", names, ("box1",), places, folder, self.keyring)


@pytest.fixture
def debian(tmp_path: Path) -> Iterator[Debian]:
    """Debian's archive on the loopback."""
    with places() as held:
        archived = Debian(held, tmp_path)
        yield archived
        archived.close()


def _names(part: Archive) -> set[str]:
    return {it.item.name.partition(" ")[0] for it in part.needed if it.item.face.endswith(".deb")}


def test_what_packages_depend_on_comes_and_nothing_else(debian: Debian, tmp_path: Path) -> None:
    part = debian.part(tmp_path / "apt", "nginx")
    assert _names(part) == {"nginx", "nginx-common"}
    (nginx,) = (it for it in part.needed if it.item.name == "nginx 1:1.0+b1")
    assert nginx.item.face == "debian/pool/main/nginx/nginx_1.0+b1_amd64.deb"
    assert nginx.item.digests[0].startswith("sha256:")
    assert nginx.hosts == ("box1",)


def test_the_part_is_an_archive_to_apt_by_debians_own_signature(
    debian: Debian, making: Making, tmp_path: Path
) -> None:
    part = debian.part(tmp_path / "apt", "nginx")
    records_made = records([part], tmp_path)
    listed = [Needed(Item(kinds.DEBIAN, "list", (), 0, (), it), ()) for it in records_made]
    made = {**part.releases, **records_made}
    found = Gathering(tmp_path / "cache", made, ("amd64",)).gather([*part.needed, *listed])
    having = list(found.having.values())
    manifest, _ = making.manifest([], items=tuple(it.item for it in having))
    write(tmp_path / "bundle", manifest, having, making.signer.key, bill=bill_of(manifest))
    fill_from(check(tmp_path / "bundle", making.signer.signers, Wanted()), tmp_path / "store")
    with places() as held:
        for file in (tmp_path / "store").rglob("*"):
            if file.is_file():
                held.put(str(file.relative_to(tmp_path / "store")), file.read_bytes())
        served = ("http://127.0.0.1:1", held.url)
        again = archive(SYSTEM, "amd64", ["nginx"], ("box1",), served, tmp_path / "far", debian.keyring)
        assert _names(again) == {"nginx", "nginx-common"}
    # And the programs of a store find it there.
    (tmp_path / "root").mkdir()
    (tmp_path / "store").rename(tmp_path / "root" / "tree")
    items = [{"kind": "debian", "name": it, "fits": [CODENAME, "amd64"]} for it in ("nginx", "games")]
    assert json.loads(run(HELD, tmp_path / "root", items)) == [True, False]


def test_an_archive_that_somebody_else_signed_is_refused(debian: Debian, tmp_path: Path) -> None:
    debian.close()
    debian.home = tmp_path / "eve"
    debian.home.mkdir(mode=0o700)
    gpg(debian.home, "--passphrase", "", "--quick-generate-key", "eve@example.org", "ed25519", "sign")
    for root, suite in suites(CODENAME):
        debian.publish(root, suite, "")
    with pytest.raises(RefusedError, match="NO_PUBKEY"):
        debian.part(tmp_path / "apt", "nginx")


def test_a_list_that_is_not_what_was_signed_is_refused(debian: Debian, tmp_path: Path) -> None:
    path = "debian/dists/bookworm/main/binary-amd64/Packages.xz"
    debian.held.files[path] = debian.held.files[path] + b"more"
    with pytest.raises(RefusedError, match=r"Debian's packages for Debian 12 on amd64"):
        debian.part(tmp_path / "apt", "nginx")


def test_a_package_or_a_system_that_the_archive_lacks_is_refused(debian: Debian, tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="Unable to locate package caddy"):
        debian.part(tmp_path / "apt", "caddy")
    with pytest.raises(RefusedError, match="nowhere"):
        debian.part(tmp_path / "apt", "nginx", system=replace(SYSTEM, codename="nowhere"))
