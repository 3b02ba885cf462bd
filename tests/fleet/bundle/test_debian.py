"""A part of Debian's archive is one to apt: signed as the whole, with what packages depend on, no more."""

from __future__ import annotations

import hashlib
import lzma
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.refusal import RefusedError
from fleet.bundle.bill import bill_of
from fleet.bundle.check import Wanted, check
from fleet.bundle.debian import Archive, archive, suites
from fleet.bundle.gathering import Gathering
from fleet.bundle.making import write
from schemas.data.systems import System, systems
from tests.fleet.bundle.conftest import Making, fill_from
from tests.fleet.bundle.places import Places, places

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("apt-get", "dpkg-deb", "gpg"))),
    reason="apt-get, dpkg-deb and gpg make archives",
)
SYSTEM = systems()["debian 12"]
SHARES = {"nginx": "nginx-common", "nginx-common": "", "games": ""}


def _deb(folder: Path, name: str, depends: str) -> bytes:
    control = f"Package: {name}\nVersion: 1:1.0+b1\nArchitecture: amd64\nMaintainer: Ada <ada@example.org>\n"
    control += f"Description: {name}\n" + (f"Depends: {depends}\n" if depends else "")
    (folder / name / "DEBIAN").mkdir(parents=True)
    (folder / name / "DEBIAN" / "control").write_text(control, encoding="utf-8")
    file = folder / f"{name}.deb"
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", folder / name, file], check=True, capture_output=True
    )
    return file.read_bytes()


def _gpg(home: Path, *arguments: str, text: bytes = b"") -> bytes:
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--yes", *arguments]
    return subprocess.run(command, input=text, check=True, capture_output=True).stdout


class Debian:
    """An archive as Debian has it, of three small packages, and the key that signs it."""

    def __init__(self, held: Places, folder: Path) -> None:
        self.held, self.home, self.keyring = held, folder / "gpg", folder / "keyring.gpg"
        self.home.mkdir(mode=0o700)
        _gpg(self.home, "--passphrase", "", "--quick-generate-key", "archive@example.org", "ed25519", "sign")
        self.keyring.write_bytes(_gpg(self.home, "--export"))
        packages = ""
        for name, depends in SHARES.items():
            content = _deb(folder, name, depends)
            path = f"pool/main/{name}/{name}_1.0+b1_amd64.deb"
            held.put(f"debian/{path}", content)
            packages += f"Package: {name}\nVersion: 1:1.0+b1\nArchitecture: amd64\nFilename: {path}\n"
            packages += f"Size: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"
            packages += f"Description: {name}\n" + (f"Depends: {depends}\n" if depends else "") + "\n"
        for number, (root, suite) in enumerate(suites(SYSTEM)):
            self.publish(root, suite, packages if number == 0 else "")

    def publish(self, root: str, suite: str, packages: str) -> None:
        content = lzma.compress(packages.encode())
        path = "main/binary-amd64/Packages.xz"
        self.held.put(f"{root}/dists/{suite}/{path}", content)
        listed = f" {hashlib.sha256(content).hexdigest()} {len(content)} {path}\n"
        plain = packages.encode()
        listed += f" {hashlib.sha256(plain).hexdigest()} {len(plain)} {path.removesuffix('.xz')}\n"
        release = f"Codename: {suite}\nSuite: {suite}\nDate: Sat, 28 Nov 2026 05:00:00 UTC\n"
        release += f"Architectures: amd64\nComponents: main\nAcquire-By-Hash: no\nSHA256:\n{listed}"
        signed = _gpg(self.home, "--clearsign", text=release.encode())
        self.held.put(f"{root}/dists/{suite}/InRelease", signed)

    def part(self, folder: Path, *names: str, system: System = SYSTEM) -> Archive:
        places = ("http://127.0.0.1:1", self.held.url)
        return archive(system, "amd64", names, ("box1",), places, folder, self.keyring)


@pytest.fixture
def debian(tmp_path: Path) -> Iterator[Debian]:
    """Debian's archive on the loopback."""
    with places() as held:
        yield Debian(held, tmp_path)


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
    found = Gathering(tmp_path / "cache", part.releases, ("amd64",)).gather(part.needed)
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


def test_an_archive_that_somebody_else_signed_is_refused(debian: Debian, tmp_path: Path) -> None:
    debian.home = tmp_path / "eve"
    debian.home.mkdir(mode=0o700)
    _gpg(debian.home, "--passphrase", "", "--quick-generate-key", "eve@example.org", "ed25519", "sign")
    for root, suite in suites(SYSTEM):
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
