"""Debian's archive as the tests have it: three small packages on the loopback, and the key that signs it."""

from __future__ import annotations

import hashlib
import lzma
import shutil
import subprocess
from pathlib import Path

from roles.store.scripts.archive import suites
from tests.fleet.bundle.places import Places

TOOLS = ("apt-get", "dpkg-deb", "gpg")
HAS_TOOLS = all(map(shutil.which, TOOLS))
CODENAME = "bookworm"
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


def gpg(home: Path, *arguments: str, text: bytes = b"") -> bytes:
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--yes", *arguments]
    return subprocess.run(command, input=text, check=True, capture_output=True).stdout


class Archived:
    """An archive as Debian has it, of three small packages, and the key that signs it."""

    def __init__(self, held: Places, folder: Path) -> None:
        self.held, self.home, self.keyring = held, folder / "gpg", folder / "keyring.gpg"
        self.home.mkdir(mode=0o700)
        gpg(self.home, "--passphrase", "", "--quick-generate-key", "archive@example.org", "ed25519", "sign")
        self.keyring.write_bytes(gpg(self.home, "--export"))
        packages = ""
        for name, depends in SHARES.items():
            content = _deb(folder, name, depends)
            path = f"pool/main/{name}/{name}_1.0+b1_amd64.deb"
            held.put(f"debian/{path}", content)
            packages += f"Package: {name}\nVersion: 1:1.0+b1\nArchitecture: amd64\nFilename: {path}\n"
            packages += f"Size: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"
            packages += f"Description: {name}\n" + (f"Depends: {depends}\n" if depends else "") + "\n"
        for number, (root, suite) in enumerate(suites(CODENAME)):
            self.publish(root, suite, packages if number == 0 else "")

    def close(self) -> None:
        """End the agent that gpg starts and leaves."""
        subprocess.run(["gpgconf", "--homedir", self.home, "--kill", "all"], check=True)

    def publish(self, root: str, suite: str, packages: str) -> None:
        content = lzma.compress(packages.encode())
        path = "main/binary-amd64/Packages.xz"
        self.held.put(f"{root}/dists/{suite}/{path}", content)
        listed = f" {hashlib.sha256(content).hexdigest()} {len(content)} {path}\n"
        plain = packages.encode()
        listed += f" {hashlib.sha256(plain).hexdigest()} {len(plain)} {path.removesuffix('.xz')}\n"
        release = f"Codename: {suite}\nSuite: {suite}\nDate: Sat, 28 Nov 2026 05:00:00 UTC\n"
        release += f"Architectures: amd64\nComponents: main\nAcquire-By-Hash: no\nSHA256:\n{listed}"
        signed = gpg(self.home, "--clearsign", text=release.encode())
        self.held.put(f"{root}/dists/{suite}/InRelease", signed)
