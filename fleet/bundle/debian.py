"""Debian's packages for a bundle: what hosts install, and what it depends on, as a part of Debian's archive.

apt itself decides, in a folder of its own, for a host that has nothing. The part keeps the `InRelease` that
Debian signed, so the apt of a host verifies it as it does Debian's; no key of ours has a say.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from engine.refusal import refuse
from schemas.data.systems import System
from schemas.plan import item as kinds
from schemas.plan.item import Item, Needed

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
UPSTREAM = "http://deb.debian.org"
COMPONENT = "main"
_URI = re.compile(r"'(?P<url>\S+)' (?P<file>\S+) (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})")
_LISTED = re.compile(r"^ (?P<sha256>[0-9a-f]{64}) +(?P<size>\d+) (?P<path>\S+)$", re.M)
# What a server has besides packages is of no use here; nothing of this machine's apt counts.
_CONFIGURATION = """\
Dir "{root}";
Dir::State "state";
Dir::State::status "{root}/status";
Dir::Cache "cache";
Dir::Etc "etc";
Dir::Etc::parts "{root}/etc";
Dir::Etc::preferencesparts "{root}/etc";
Dir::Etc::sourcelist "{root}/sources.list";
Dir::Etc::sourceparts "{root}/etc";
Dir::Etc::trustedparts "{root}/etc";
APT::Architecture "{arch}";
APT::Architectures {{ "{arch}"; }};
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::ForceHash "SHA256";
Acquire::Retries "2";
"""


@dataclass(frozen=True)
class Archive:
    """A part of Debian's archive for one system and architecture."""

    needed: tuple[Needed, ...]
    releases: Mapping[str, Path]  # face → the InRelease, as it was fetched


def unusable() -> str:
    """Why this machine cannot bring Debian's packages; empty where it can."""
    if shutil.which("apt-get") is None:
        return "this machine has no apt"
    if not KEYRING.exists():
        return f"this machine has no {KEYRING} (apt-get install debian-archive-keyring)"
    return ""


def suites(system: System) -> tuple[tuple[str, str], ...]:
    """Archive and suite, for each source that Debian gives a server."""
    name = system.codename
    return (("debian", name), ("debian", f"{name}-updates"), ("debian-security", f"{name}-security"))


def archive(
    system: System,
    arch: str,
    names: Sequence[str],
    hosts: Sequence[str],
    places: Sequence[str],
    folder: Path,
    keyring: Path = KEYRING,
) -> Archive:
    """What a host of this system and architecture takes from Debian to have these packages.

    `places`: URLs that have `debian` and `debian-security`, in the order in which they are tried. `folder`:
    where apt works. Raises RefusedError with the last of what apt printed where it does not get there.
    """
    output = ""
    for place in places:
        _prepare(system, arch, place, folder, keyring)
        updated = _apt(folder, "update", "--error-on=any")
        if updated.returncode == 0:
            found = _apt(folder, "install", "--yes", "--no-install-recommends", "--print-uris", *names)
            if found.returncode == 0:
                return _part(system, arch, place, folder, found.stdout, hosts)
            updated = found
        output = "\n          ".join(f"{updated.stdout}{updated.stderr}".strip().splitlines()[-8:])
    raise refuse(
        f"Debian's packages for {system.name} on {arch}, from {' or '.join(places)}",
        output,
        "check this machine's network; or name in `mirrors.files` a place that has deb.debian.org/debian",
    )


def _prepare(system: System, arch: str, place: str, folder: Path, keyring: Path) -> None:
    """A folder in which apt knows these sources, and a host that has nothing."""
    for name in ("state/lists/partial", "cache/archives/partial", "etc"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "status").write_text("", encoding="utf-8")
    sources = [
        f"deb [signed-by={keyring}] {place}/{root} {suite} {COMPONENT}\n" for root, suite in suites(system)
    ]
    (folder / "sources.list").write_text("".join(sources), encoding="utf-8")
    (folder / "apt.conf").write_text(_CONFIGURATION.format(root=folder, arch=arch), encoding="utf-8")


def _apt(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["apt-get", "-q", *arguments],
        env={**os.environ, "APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _part(system: System, arch: str, place: str, folder: Path, printed: str, hosts: Sequence[str]) -> Archive:
    releases, needed = dict[str, Path](), list[Needed]()
    for root, suite in suites(system):
        within = f"{root}/dists/{suite}"
        release = folder / "state" / "lists" / f"{_listed_as(f'{place}/{within}')}_InRelease"
        releases[f"{within}/InRelease"] = release
        face = f"{within}/InRelease"
        needed.append(Needed(Item(kinds.DEBIAN, f"InRelease of {suite}", (), 0, (), face), tuple(hosts)))
        needed += _index(place, within, suite, arch, release, hosts)
    for it in _URI.finditer(printed):
        name, version = unquote(it["file"]).split("_")[:2]
        face = unquote(it["url"].removeprefix(f"{place}/"))
        digest = (f"sha256:{it['sha256']}",)
        thing = Item(kinds.DEBIAN, f"{name} {version}", digest, int(it["size"]), (it["url"],), face)
        needed.append(Needed(thing, tuple(hosts)))
    return Archive(tuple(needed), releases)


def _index(
    place: str, within: str, suite: str, arch: str, release: Path, hosts: Sequence[str]
) -> Iterator[Needed]:
    """The list of a suite's packages, under both names by which an apt asks for it."""
    path = f"{COMPONENT}/binary-{arch}/Packages.xz"
    text = release.read_text(encoding="utf-8", errors="replace")
    for it in _LISTED.finditer(text):
        if it["path"] == path:
            by_digest = f"{within}/{COMPONENT}/binary-{arch}/by-hash/SHA256/{it['sha256']}"
            origins = (f"{place}/{by_digest}", f"{place}/{within}/{path}")
            for face in (f"{within}/{path}", by_digest):
                name, digest = f"packages of {suite} for {arch}", (f"sha256:{it['sha256']}",)
                thing = Item(kinds.DEBIAN, name, digest, int(it["size"]), origins, face)
                yield Needed(thing, tuple(hosts))


def _listed_as(url: str) -> str:
    """The name of a file of lists, as apt makes it of a URL."""
    rest = url.partition("://")[2]
    return quote(rest.replace("_", "%5f"), safe="/%:+~").replace("/", "_")
