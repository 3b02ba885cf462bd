"""Looking at a host: the state of everything that is managed, in one round trip.

All decisions of a run follow from one look at its start, so a host that is already so costs one
look and nothing else, and a run that was cut off is continued from what is really there. What could
not be looked at ends the run on that host: it is never taken for absent.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from pyinfra.api.command import StringCommand

from engine import paths, remote
from engine.answers import data, number, understood
from engine.receipt import check_receipt
from engine.refusal import Finding, RefusedError, refuse

# Mixed into the digest of each setting: what comes back is of use to this run alone.
NONCE = secrets.token_hex(16)
# The script that reads what takes more than a shell, and those that it imports.
_REST = ("look.py", ("read_door.py", "fingerprint.py", "images.py", "certificates.py"))
_KINDS = {"d": "directory", "f": "file", "l": "link"}
_BY_ROOT = "that root can read it; then run again"
# What could not be looked at, by look.sh's word for it: what is required, and what to do.
_UNSEEN = {
    "path": ("files of the host that can be read", f"check {_BY_ROOT}"),
    "unit": ("a systemd that lists its units", "systemctl status shows more; check that it answers"),
    "user": ("users and groups that can be looked up", "getent passwd shows more; check that it answers"),
    "package": ("a database of packages that can be read", "dpkg --audit shows more; repair it"),
    "python": (
        "the distribution's python3, where there is one",
        "apt-get install --reinstall python3 python3-minimal; /usr/bin/python3 is the distribution's own",
    ),
}


class _Rest(TypedDict, total=False):
    """What look.py prints; nothing of it on a host without python3."""

    env_files: dict[str, dict[str, str]]
    fingerprints: dict[str, str]
    certificates: dict[str, dict[str, str]]
    images: list[str]
    models: dict[str, int]
    lacks: dict[str, str]
    receipt: dict[str, Any]
    answers: dict[str, str]
    silent: dict[str, str]


@dataclass(frozen=True)
class Account:
    """A user of the host."""

    uid: int
    gid: int
    home: str
    shell: str


@dataclass(frozen=True)
class Group:
    """A group of the host; those whose primary group it is are not among its members."""

    gid: int
    members: frozenset[str]


@dataclass(frozen=True)
class Observed:
    """What a host answered. A path, user, package or unit that is not there has no entry."""

    paths: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    holds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # folder → names in it
    env_files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    users: Mapping[str, Account] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    packages: frozenset[str] = frozenset()
    models: Mapping[str, int] = field(default_factory=dict)  # manifest of weights → bytes of its layers
    receipt: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)  # address of a door → which inputs it has
    silent: Mapping[str, str] = field(default_factory=dict)  # address of a service → why it does not answer
    nonce: str = NONCE

    @property
    def marked(self) -> bool:
        """Whether something of ours is here: what shows it comes first, and goes last."""
        return self.ours(paths.MARK)

    @property
    def known(self) -> bool:
        """Whether a run of ours got as far as to make something here, even where its mark was lost since."""
        return self.marked or bool(self.receipt)

    @property
    def current(self) -> str:
        """The key of the generation that is the host's current one; empty where there is none."""
        link = self.paths.get(f"{paths.GENERATIONS}/current", {})
        return link.get("target", "").removesuffix(".json")

    def ours(self, path: str) -> bool:
        """Whether the file says that the provisioner wrote it."""
        return self.paths.get(path, {}).get("ours") == "yes"

    def foreign(self, unit: str) -> str:
        """The file of a unit of this name that somebody else put there; empty where there is none."""
        file = self.units.get(unit, {}).get("FragmentPath", "")
        return "" if not file or self.ours(file) else file

    def there(self, path: str, sha256: str = "") -> bool:
        """Whether `path` is there, with that digest if one is given, and with all that a manifest lists."""
        have = self.paths.get(path)
        return have is not None and not have.get("lacks") and (not sha256 or have.get("sha256") == sha256)


@dataclass(frozen=True)
class Question:
    """What a host is asked about."""

    paths: Iterable[str]
    folders: Iterable[str]  # of which it is asked what is in them
    env_files: Iterable[str]
    units: Iterable[str]
    users: Iterable[str]
    packages: Iterable[str]
    links: Mapping[str, str]  # a link of the distribution's → the package that brought it
    certificates: Iterable[str]  # files of which it is asked how long they are valid
    doors: Mapping[str, str]  # address → file of the certificate that it must serve; empty without TLS
    services: Iterable[str]  # addresses that answer where a service does what it is for
    manifests: str
    receipt: str

    def __str__(self) -> str:
        """What the script on the host reads."""
        files = {*self.paths, *self.certificates, *self.links}
        units = sorted(set(self.units))
        rest = {
            "certificates": sorted(set(self.certificates)),
            "doors": dict(self.doors),
            "services": sorted(set(self.services)),
            "env_files": sorted(set(self.env_files)),
            "units": units,
            "images": sorted(it for it in files if _is_marker(it)),
            "manifests": self.manifests,
            "weights": sorted(it for it in files if it.startswith(f"{self.manifests}/")),
            "receipt": self.receipt,
            "nonce": NONCE,
        }
        lines = {
            "path": sorted(files),
            "settings": sorted(set(self.env_files)),
            "link": [f"{path} {package}" for path, package in self.links.items()],
            "folder": sorted(set(self.folders)),
            "unit": units,
            "user": sorted(set(self.users)),
            "package": sorted(set(self.packages)),
            "rest": [json.dumps(rest)],
        }
        return "\n".join(f"{kind} {value}" for kind, values in lines.items() for value in values)


def command(question: Question) -> StringCommand:
    """What asks a host about all of this at once."""
    name, modules = _REST
    return remote.shell("look.sh", remote.program(name, modules), stdin=str(question))


def observe(question: Question) -> Observed:
    """Ask the current host about all of this at once.

    The values in an environment file come back as digests with a nonce of this run, so neither log nor
    fact ever holds a secret. Raises RefusedError with all that could not be looked at.
    """
    answer = remote.ask(command(question))
    lines = answer.stdout.splitlines()
    if not answer.ok or "end=yes" not in lines:
        raise refuse(
            "a host that root can observe",
            answer.stderr.strip() or "no answer",
            "check the SSH user's sudo rights; if the host hangs, run again",
        )
    units = sorted(set(question.units))
    return understood(
        "in what state everything managed is", answer.stdout, lambda text: read(text.splitlines(), units)
    )


def read(lines: Sequence[str], units: Sequence[str]) -> Observed:
    """What the lines of look.sh say. `units`: those that were asked for, in their order.

    Raises RefusedError with all that could not be looked at, and what `answers.data` raises or ValueError
    for what has another form.
    """
    facts: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition("=")
        facts.setdefault(name, []).append(value)
    if "unseen" in facts:
        raise RefusedError(_unseen(facts["unseen"]))
    rest: _Rest = data(facts["rest"][-1], _Rest) if "rest" in facts else {}
    check_receipt(rest.get("receipt", {}))
    found = _paths(facts, rest)
    holds: dict[str, list[str]] = {}
    for folder, _, name in (it.partition("\t") for it in facts.get("holds", [])):
        holds.setdefault(folder, []).append(name)
    return Observed(
        paths=found,
        holds={folder: tuple(sorted(names)) for folder, names in holds.items()},
        env_files={
            path: {**found[path], "values": values}
            for path, values in rest.get("env_files", {}).items()
            if path in found
        },
        units=_units(facts.get("unit", []), units, rest.get("fingerprints", {})),
        users={it[0]: Account(int(it[1]), int(it[2]), it[4], it[5]) for it in _fields(facts, "user", 6)},
        groups={
            it[0]: Group(int(it[1]), frozenset(filter(None, it[2].split(","))))
            for it in _fields(facts, "group", 3)
        },
        packages=frozenset(
            it[0] for it in map(str.split, facts.get("package", [])) if it[1:] == ["installed"]
        ),
        models=rest.get("models", {}),
        receipt=rest.get("receipt", {}),
        answers=rest.get("answers", {}),
        silent=rest.get("silent", {}),
    )


def _is_marker(path: str) -> bool:
    return path.startswith(f"{paths.IMAGES}/")


def _paths(facts: Mapping[str, Sequence[str]], rest: _Rest) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for line in facts.get("path", []):
        path, kind, mode, owner, group, target = line.split("\t", 5)
        kind = _KINDS.get(kind, "other")
        found[path] = {"kind": kind, "mode": mode.zfill(4), "owner": owner, "group": group}
        if kind == "link":
            found[path]["target"] = target
    for line in facts.get("leads", []):
        # A folder of ours that the operator has put elsewhere: what counts is the one that its link leads to.
        path, kind, mode, owner, group = line.split("\t", 4)
        if path in found and found[path]["kind"] == "link" and kind == "d":
            found[path] |= {"kind": "directory", "mode": mode.zfill(4), "owner": owner, "group": group}
    for path, _, loose in (it.partition("\t") for it in facts.get("loose", [])):
        found[path]["loose"] = loose
    for line in facts.get("sha256", []):
        digest, _, path = line.partition("  ")
        if path in found:
            found[path]["sha256"] = digest
    for name in ("ours", "pristine"):
        for path in facts.get(name, []):
            if path in found:
                found[path][name] = "yes"
    _add(found, rest)
    images = rest.get("images", [])
    return {path: it for path, it in found.items() if not _is_marker(path) or path in images}


def _add(found: Mapping[str, dict[str, str]], rest: _Rest) -> None:
    """What look.py knows besides of the paths that are there."""
    more = [*rest.get("certificates", {}).items()]
    more += [(path, {"lacks": why}) for path, why in rest.get("lacks", {}).items()]
    for path, facts in more:
        number(facts.get("days", "").removeprefix("-"))
        if path in found:
            found[path].update(facts)


def _units(
    lines: Sequence[str], names: Sequence[str], fingerprints: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    units = {}
    for name, block in zip(names, "\n".join(lines).split("\n\n"), strict=False):
        unit = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        # What a quadlet becomes lies with the generator's files: what counts is what it was made of.
        unit["FragmentPath"] = unit.pop("SourcePath", "") or unit.get("FragmentPath", "")
        if name in fingerprints:
            unit["Fingerprint"] = fingerprints[name]
        units[name] = unit
    return units


def _fields(facts: Mapping[str, Sequence[str]], name: str, count: int) -> list[list[str]]:
    lines = [it.split(":") for it in facts.get(name, [])]
    return [it for it in lines if len(it) >= count]


def _unseen(lines: Sequence[str]) -> list[Finding]:
    kinds: dict[str, list[str]] = {}
    for kind, _, why in (it.partition(" ") for it in lines):
        kinds.setdefault(kind, []).append(why)
    # Of a Python that fails the last line says why.
    reasons = {kind: why[-1:] if kind == "python" else dict.fromkeys(why) for kind, why in kinds.items()}
    return [Finding(_UNSEEN[it][0], "\n          ".join(reasons[it]), _UNSEEN[it][1]) for it in reasons]
