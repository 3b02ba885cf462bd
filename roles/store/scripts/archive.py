"""A part of Debian's archive: which sources there are, what apt is told, what its words mean. Pure.

Runs on the host that serves the store, imported by its job; and on the controller, for bundles. apt itself
decides what belongs to the part, in a folder of its own, for a host that has nothing: so each host of that
release finds all that it may lack, however little it has. The part keeps the `InRelease` that Debian signed,
so the apt of a host verifies it as it does Debian's; no key of ours has a say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, unquote

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
ROOTS = ("debian", "debian-security")  # the folders of the tree that are archives
COMPONENT = "main"
INSTALL = ("install", "--yes", "--no-install-recommends")
Place = tuple[str, str]  # the URLs under which somebody has these two archives

_URI = re.compile(r"'(?P<url>\S+)' (?P<file>\S+) (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})")
_LISTED = re.compile(r"^ (?P<sha256>[0-9a-f]{64}) +(?P<size>\d+) (?P<path>\S+)$", re.M)
# Nothing but packages is of use here, and of the machine's own apt only its way out counts.
_CONFIGURATION = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir "{root}";
Dir::State "state";
Dir::State::status "{root}/status";
Dir::Cache "cache";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
Dir::Etc "etc";
Dir::Etc::parts "{root}/etc";
Dir::Etc::preferencesparts "{root}/etc";
Dir::Etc::sourcelist "{root}/sources.list";
Dir::Etc::sourceparts "{root}/etc";
Dir::Etc::trustedparts "{root}/etc";
APT::Architecture "{native}";
APT::Architectures {{ {archs} }};
APT::Default-Release "";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::ForceHash "SHA256";
Acquire::PDiffs "false";
Acquire::Retries "2";
Acquire::GzipIndexes "{packed}";
Acquire::IndexTargets::deb::Packages::KeepCompressedAs "xz";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::CNF::DefaultEnabled "false";
"""


class Deb(NamedTuple):
    """A package that apt would fetch."""

    name: str
    version: str
    url: str
    face: str  # its path in the tree
    file: str  # as apt calls it among its archives
    size: int
    sha256: str


class Index(NamedTuple):
    """The list of a suite's packages, as its InRelease names it."""

    faces: tuple[str, ...]  # under both names by which an apt asks for it
    path: str  # within the suite
    size: int
    sha256: str


def suites(codename: str) -> tuple[tuple[str, str], ...]:
    """Archive and suite, for each source that Debian gives a server."""
    main, security = ROOTS
    return ((main, codename), (main, f"{codename}-updates"), (security, f"{codename}-security"))


def record(codename: str) -> str:
    """The path in the tree of what says what is held of a release."""
    return f"archives/{codename}.json"


def release(root: str, suite: str) -> str:
    """The path of what Debian signed."""
    return f"{root}/dists/{suite}/InRelease"


def described(names: Mapping[str, Iterable[str]], faces: Mapping[str, str]) -> str:
    """What lies at `record`. `names`: packages by architecture; `faces`: path → hex sha256 of its content."""
    listed = {arch: sorted(set(these)) for arch, these in names.items()}
    return json.dumps({"names": listed, "faces": faces}, indent=0, sort_keys=True)


def folder(base: str) -> Place:
    """The place of both archives below one URL."""
    return f"{base}/{ROOTS[0]}", f"{base}/{ROOTS[1]}"


def own(targets: str, codename: str) -> Place | None:
    """Where a Debian of this release gets its packages itself; None where that is not known.

    `targets`: what `apt-get indextargets --format TARGETS` printed there.
    """
    found: dict[str, str] = {}
    for line in targets.splitlines():
        url, _, rest = line.partition(" ")
        if url.startswith(("http://", "https://")) and rest.endswith(f" {COMPONENT}"):
            found.setdefault(rest.partition(" ")[0], url.rstrip("/"))
    main, security = found.get(codename), found.get(f"{codename}-security")
    return (main, security) if main and security else None


TARGETS = "$(REPO_URI) $(RELEASE) $(COMPONENT)"


def configuration(root: str, archs: Sequence[str], *, packed: bool = False) -> str:
    """What an apt is told that works in the folder `root` alone, for the first of these architectures.

    `packed`: lists stay as Debian compressed them, which InRelease has the digest of.
    """
    listed = " ".join(f'"{it}";' for it in archs)
    return _CONFIGURATION.format(root=root, native=archs[0], archs=listed, packed=str(packed).lower())


def sources(place: Place, codename: str, keyring: str = KEYRING) -> str:
    """The sources.list of a place."""
    of = dict(zip(ROOTS, place, strict=True))
    lines = [
        f"deb [signed-by={keyring}] {of[root]} {suite} {COMPONENT}\n" for root, suite in suites(codename)
    ]
    return "".join(lines)


def debs(place: Place, printed: str) -> list[Deb]:
    """The packages that apt would fetch from a place, of what `--print-uris` printed."""
    found = []
    for it in _URI.finditer(printed):
        name, version = unquote(it["file"]).split("_")[:2]
        face = _face(place, it["url"])
        found.append(Deb(name, version, it["url"], face, it["file"], int(it["size"]), it["sha256"]))
    return found


def index(root: str, suite: str, arch: str, signed: str) -> Index | None:
    """The list of a suite's packages, of the text that Debian signed; None where that names none."""
    path, within = f"{COMPONENT}/binary-{arch}/Packages.xz", f"{root}/dists/{suite}"
    for it in _LISTED.finditer(signed):
        if it["path"] == path:
            by_digest = f"{within}/{COMPONENT}/binary-{arch}/by-hash/SHA256/{it['sha256']}"
            return Index((f"{within}/{path}", by_digest), path, int(it["size"]), it["sha256"])
    return None


def list_file(place: Place, face: str) -> str:
    """The name among apt's lists of what lies at a path of the tree and came from a place."""
    root, _, rest = face.partition("/")
    url = f"{place[ROOTS.index(root)]}/{rest}".partition("://")[2]
    return quote(url.replace("_", "%5f"), safe="/%:+~").replace("/", "_")


def _face(place: Place, url: str) -> str:
    for root, base in zip(ROOTS, place, strict=True):
        if url.startswith(f"{base}/"):
            return f"{root}/{unquote(url.removeprefix(f'{base}/'))}"
    raise ValueError(f"{url} is of neither archive")
