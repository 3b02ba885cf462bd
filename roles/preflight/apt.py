"""What apt says of packages that a host lacks: could they be installed, and which sources fail? Pure.

Sources that fail do no harm where the others have all that is needed. apt names a source by its URI and
suite; here they become the file and line in which it stands.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.packages import FILL
from engine.refusal import Finding

# What continues a finding's line (refusal.py).
_INDENT = "\n          "

_LINE = re.compile(r"deb\s+(?:\[[^\]]*\]\s+)?(?P<uri>cdrom:\[[^\]]*\]\S*|\S+)\s+(?P<suite>\S+)")
_LACKS = re.compile(r"Unable to locate package (\S+)|Package '?([^\s']+)'? has no installation candidate")
# That the fleet's store, which alone was asked, does not have it.
_NOT_HAD = re.compile("not in the store: |Failed to fetch |Unable to (fetch|locate) |The repository ")
_FEW = 5  # of such errors, as many are shown
_UNREADABLE = "The list of sources could not be read"
_FAILS = ("E: ", "W: Failed to fetch", "W: GPG error", "W: An error occurred during the signature")
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}


@dataclass(frozen=True)
class Source:
    """One place that apt gets packages from."""

    file: str
    line: int
    text: str
    uri: str
    suite: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Apt:
    """What `scripts/apt.sh` printed."""

    there: bool  # whether the host has apt at all
    update: tuple[str, ...]  # what apt-get update printed
    sources: tuple[Source, ...]
    cannot: tuple[str, ...]  # by apt-get install; empty where it would work
    store: str  # URL of the fleet's store, where that alone was asked, and would not do
    pins: tuple[str, ...]  # files in which a version is forbidden
    fetch: int  # bytes to download
    unpack: int  # bytes that the packages take
    room: tuple[tuple[str, int], ...]  # file systems of apt's archives and of /usr: mount point, bytes free

    @property
    def failed(self) -> list[tuple[Source, str]]:
        """The sources that gave nothing, each with apt's reason."""
        reasons = ((it, _reason(it, self.update)) for it in self.sources)
        return [(it, reason) for it, reason in reasons if reason]


def parse(text: str) -> Apt:
    """Read the lines that the script printed."""
    many: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        many.setdefault(name, []).append(value)
    rooms = (it.rsplit(" ", 1) for it in many.get("room", []))
    return Apt(
        there=many.get("apt") == ["there"],
        update=tuple(many.get("update", [])),
        sources=tuple(_sources(many.get("source", []))),
        cannot=() if "works" in many else tuple(many.get("cannot", ["no answer"])),
        store=many.get("store", [""])[0],
        pins=tuple(many.get("pin", [])),
        fetch=int(many.get("fetch", ["0"])[0]),
        unpack=_bytes(many.get("unpack", ["0 B"])[0]),
        room=tuple((mount, int(float(free))) for mount, free in rooms),
    )


def _bytes(amount_text: str) -> int:
    """Bytes of an amount in apt's words, e.g. "1,204 kB"."""
    amount, _, unit = amount_text.replace(",", "").partition(" ")
    return int(float(amount) * _UNITS.get(unit, 1))


def findings(apt: Apt, names: Sequence[str]) -> list[Finding]:
    """What stands against installing the packages `names`."""
    if not apt.there:
        return [Finding("apt-get, which installs Debian's packages", "no apt-get", "use a complete Debian")]
    if not apt.cannot:
        return _room(apt)
    errors = [it.removeprefix("E: ") for it in apt.cannot if it.startswith("E: ")]
    if apt.store and (lacking := [it for it in errors if _NOT_HAD.match(it)]):
        required = f"in the store {apt.store}, as the host has no Internet: {', '.join(names)} of Debian"
        more = [f"and {len(lacking) - _FEW} more"] if len(lacking) > _FEW else []
        return [Finding(required, _INDENT.join([*lacking[:_FEW], *more]), FILL)]
    if any(_UNREADABLE in it for it in apt.cannot):
        found = _INDENT.join(it for it in errors if _UNREADABLE not in it)
        return [
            Finding("sources of packages that apt can read", found, "correct the line, or put a # before it")
        ]
    return [_cannot(apt, names, errors)]


def remark(apt: Apt) -> str:
    """That sources fail which nothing was needed of, for the operator; else empty."""
    if not apt.failed:
        return ""
    return f"sources of packages that fail but were not needed:{_INDENT}{_listed(apt.failed)}"


def _cannot(apt: Apt, names: Sequence[str], errors: Sequence[str]) -> Finding:
    text = "\n".join(apt.cannot)
    # One that a pin forbids has no candidate either.
    lacking = [gone or ("" if apt.pins else barred) for gone, barred in _LACKS.findall(text)]
    if (lacking := [it for it in lacking if it]) and (apt.failed or not apt.sources):
        remedy = "check the host's network; put a # before the line of a source that is gone for good"
        if not apt.sources:
            remedy = "name a mirror of Debian in /etc/apt/sources.list"
        return Finding(
            f"a source of Debian packages that answers, and has {', '.join(lacking)}",
            _listed(apt.failed) or "no source in /etc/apt",
            f"{remedy} (in a .sources file: Enabled: no)" if ".sources:" in _listed(apt.failed) else remedy,
        )
    required = f"packages that apt can install: {' '.join(names)}"
    if held := _held(apt.cannot):
        return Finding(required, f"on hold: {held}", f"apt-mark unhold {held}")
    broken = [" ".join(it.split()) for it in apt.cannot if it.startswith(" ") and "epends:" in it]
    found = _INDENT.join([*errors, *broken]) or text
    if "--fix-broken" in text:
        return Finding(required, found, "on the host: apt-get --fix-broken install")
    if apt.pins:
        return Finding(required, found, f"a pin forbids a version: change it in {', '.join(apt.pins)}")
    return Finding(required, found, f"see on the host: apt-get update; apt-get install -s {' '.join(names)}")


def _held(lines: Sequence[str]) -> str:
    """The packages on hold that would have to change; empty where there are none."""
    held: list[str] = []
    listing = False
    for line in lines:
        listing = line.startswith(" ") if listing else line.startswith("The following held packages")
        held += line.split() if listing and line.startswith(" ") else []
    return " ".join(held)


def _room(apt: Apt) -> list[Finding]:
    """Downloads lie in apt's archives, the first of the two file systems; what they become, in /usr."""
    need: dict[str, int] = {}
    for (mount, _), size in zip(apt.room, (apt.fetch, apt.unpack), strict=False):
        need[mount] = need.get(mount, 0) + size
    return [
        Finding(
            f"{need[mount] / 1e6:.0f} MB free on {mount} for Debian packages",
            f"{free / 1e6:.0f} MB",
            "free some space (apt-get clean), or enlarge it",
        )
        for mount, free in dict(apt.room).items()
        if need[mount] > free
    ]


def _listed(failed: Iterable[tuple[Source, str]]) -> str:
    return _INDENT.join(f"{source}{_INDENT}  {reason}" for source, reason in failed)


def _reason(source: Source, update: Sequence[str]) -> str:
    """Why apt has nothing of the source; empty where it has."""
    key = _key(source.uri)
    places = (f"{key} {source.suite} ", f"{key}/dists/{source.suite}/", f"{key}/{source.suite}")
    of_it = [
        (line, following.strip())
        for line, following in zip(update, [*update[1:], ""], strict=True)
        if any(place in f"{_key(line)} " for place in places)
    ]
    for line, following in of_it:
        if line.startswith("Err:"):
            return textwrap.shorten(re.sub(r"\[IP: [^\]]*\]", "", following), 200, placeholder=" …")
    return next((line[3:] for line, _ in of_it if line.startswith(_FAILS)), "")


def _key(text: str) -> str:
    """An address as apt's messages and its files have it alike."""
    # Of some discs apt prints the name without its brackets.
    return re.sub(r"[\[\]]", "", text).replace("://", ":").rstrip("/")


def _sources(lines: Iterable[str]) -> Iterable[Source]:
    """The sources in lines "FILE:NUMBER:TEXT", of both forms (sources.list(5))."""
    stanza: dict[str, str] = {}
    place, before = ("", 0, ""), ""
    for line in [*lines, ""]:
        file, _, rest = line.partition(":")
        number, _, text = rest.partition(":")
        if file.endswith(".list"):
            if match := _LINE.match(text.strip()):
                yield Source(file, int(number), text.strip(), match["uri"], match["suite"])
            continue
        if not text.strip() or file != before:
            yield from _of_stanza(stanza, *place)
            stanza, before = {}, file
        name, colon, value = text.partition(":")
        if text.startswith((" ", "\t")) and stanza:
            stanza[next(reversed(stanza))] += f" {text.strip()}"
        elif colon and not text.startswith("#"):
            stanza[name.strip().lower()] = value.strip()
            if name.strip().lower() == "uris":
                place = (file, int(number), text.strip())


def _of_stanza(fields: dict[str, str], file: str, line: int, text: str) -> Iterable[Source]:
    if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes") in ("no", "false"):
        return
    for uri in fields.get("uris", "").split():
        for suite in fields.get("suites", "").split():
            yield Source(file, line, text, uri, suite)
