"""What a role declares of a host: files, directories, links, users, packages, units.

A role returns these; the look asks the host about exactly these; and those that differ are mended, by
`operations.converge` or by the switch to a generation. So there is one list of what is managed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from engine.env import quoted
from engine.observation import Observed


def sha256(content: str | bytes) -> str:
    """Hex digest of a text (as UTF-8) or of bytes."""
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()


# Numbers of system users, by the login.defs of every supported system; and shells by which nobody logs in.
_SYSTEM = range(1, 1000)
_NO_LOGIN = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false")


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it should be."""

    thing: str  # a path, a unit, a user
    why: str

    def __str__(self) -> str:
        return f"{self.thing}: {self.why}"


@dataclass(frozen=True)
class Packages:
    """Debian packages that must be installed; others are left alone."""

    names: tuple[str, ...]
    # Package and unit: one that is installed now must not start before its settings are ours.
    held: tuple[tuple[str, str], ...] = ()
    # Where they come from, as variables of apt.sh, the proxy's password among them.
    origin: Mapping[str, str] = field(default_factory=dict, repr=False)
    later: bool = False  # from a store that is only filled in this run

    def differs(self, observed: Observed) -> str:
        """Why the host is not so, or the empty string."""
        missing = self.missing(observed)
        return f"not installed: {', '.join(missing)}" if missing else ""

    def missing(self, observed: Observed) -> list[str]:
        """Those that the host does not have."""
        return [name for name in self.names if name not in observed.packages]

    def __str__(self) -> str:
        return f"packages {' '.join(self.names)}"


@dataclass(frozen=True)
class User:
    """A system user without a shell, in a group of its own name."""

    name: str
    home: str
    groups: tuple[str, ...] = ()  # joined where the host has them

    def differs(self, observed: Observed) -> str:
        """Why the host is not so, or the empty string."""
        have = observed.users.get(self.name)
        if have is None:
            return "no such user"
        there = [name for name in self.groups if name in observed.groups]
        if missing := [name for name in there if self.name not in observed.groups[name].members]:
            return f"not in {', '.join(missing)}"
        if have.shell not in _NO_LOGIN:
            return f"shell is {have.shell}"
        return "" if have.home == self.home else f"home is {have.home}"

    def foreign(self, observed: Observed) -> str:
        """What shows that a user or group of this name is somebody's; empty where it can be ours.

        It can be what an earlier run made, or equal to that. On a host of ours home and shell may have been
        changed by hand since, and are mended; what a system user has for a number never changes.
        """
        user, group = observed.users.get(self.name), observed.groups.get(self.name)
        found = []
        if user and user.uid not in _SYSTEM:
            found.append(f"uid {user.uid}")
        if group and group.gid not in _SYSTEM:
            found.append(f"gid {group.gid}")
        if not observed.known:
            if user and user.shell not in _NO_LOGIN:
                found.append(f"shell {user.shell}")
            if user and user.home != self.home:
                found.append(f"home {user.home}")
            if user and (group is None or group.gid != user.gid):
                found.append("a primary group of another name")
            if group and (others := sorted(group.members - {self.name})):
                found.append(f"others in its group: {', '.join(others)}")
        return ", ".join(found)

    def __str__(self) -> str:
        return f"user {self.name}"


@dataclass(frozen=True)
class Directory:
    """A directory with its owner and mode; what is in it is not its business.

    Removal takes it only once it is empty, unless it says that all of it is ours, or the operator's.
    """

    path: str
    owner: str = "root"
    mode: str = "0755"
    ours: bool = False  # goes with everything in it
    keeps: str = ""  # what of the operator's lies in it: stays unless purged

    def differs(self, observed: Observed) -> str:
        """Why the host is not so, or the empty string."""
        have = observed.paths.get(self.path)
        if have is None or have["kind"] != "directory":
            return "no such directory" if have is None else f"is a {have['kind']}"
        return _ownership(have, self.owner, self.mode)

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True)
class File:
    """A file that is wholly ours. It appears by a rename, never half-written."""

    path: str
    content: str = field(repr=False)
    owner: str = "root"
    mode: str = "0644"

    @property
    def digest(self) -> str:
        """Hex digest of what stands in it."""
        return sha256(self.content)

    def differs(self, observed: Observed) -> str:
        """Why the host is not so, or the empty string."""
        have = observed.paths.get(self.path)
        if have is None:
            return "no such file"
        if have.get("sha256") != self.digest:
            return "other content"
        return _ownership(have, self.owner, self.mode)

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True)
class Link:
    """A symbolic link, switched by a rename."""

    path: str
    target: str

    def differs(self, observed: Observed) -> str:
        """Why the host is not so, or the empty string."""
        have = observed.paths.get(self.path)
        if have is None:
            return "no such link"
        target = have.get("target") or f"a {have['kind']}"
        return "" if target == self.target else f"points to {target}, not {self.target}"

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True)
class Absent:
    """A path that must not be."""

    path: str

    def differs(self, observed: Observed) -> str:
        """Why the host is not so, or the empty string."""
        return "must not be there" if self.path in observed.paths else ""

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True)
class Diverted:
    """A link that a Debian package brings, out of the way while ours is here; removal puts it back.

    Where somebody changed what it leads to, it is theirs, and stays.
    """

    path: str
    package: str
    to: str

    def differs(self, observed: Observed) -> str:
        """Why the host is not so, or the empty string."""
        if self.package not in observed.packages:
            return f"comes with {self.package}"
        return "is in the way" if observed.paths.get(self.path, {}).get("pristine") == "yes" else ""

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True)
class EnvFile:
    """Keys of an environment file that others write into, too: managed by key, never overwritten."""

    path: str
    values: Mapping[str, str] = field(repr=False)
    owner: str

    def digests(self, nonce: str) -> Mapping[str, str]:
        """Key → digest of its value as it stands in the file, mixed with the run's nonce."""
        return {key: sha256(nonce + quoted(value)) for key, value in self.values.items()}

    def differs(self, observed: Observed) -> str:
        """Why the host is not so, or the empty string. Names keys, never values."""
        have = observed.env_files.get(self.path)
        if have is None:
            return "no such file"
        if changed := self.changed(observed):
            return f"differs in {', '.join(changed)}"
        return _ownership(have, self.owner, "0600")

    def changed(self, observed: Observed) -> list[str]:
        """The keys that have another value on the host, or none."""
        have = observed.env_files.get(self.path, {}).get("values", {})
        return sorted(key for key, digest in self.digests(observed.nonce).items() if have.get(key) != digest)

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True)
class Enabled:
    """A unit that starts with the host."""

    unit: str
    now: bool = False  # it runs from now on, too: nothing else starts it

    def differs(self, observed: Observed) -> str:
        """Why the host is not so, or the empty string."""
        unit = observed.units.get(self.unit, {})
        state = unit.get("UnitFileState", "")
        if state != "enabled":
            return f"is {state or 'not there'}"
        return "is not started" if self.now and unit.get("ActiveState") != "active" else ""

    def __str__(self) -> str:
        return f"{self.unit} (enabled)"


# What everything else stands on: it is mended in place, and never taken back.
Prerequisite = Packages | User | Directory | File | Link | Enabled | Absent | Diverted
# What can be switched by a rename, and switched back.
Switchable = Directory | File | Link | EnvFile | Enabled | Absent
Resource = Prerequisite | Switchable


def differing(resources: Iterable[Resource], observed: Observed) -> list[Difference]:
    """What of the resources is not so, in their order."""
    return [Difference(str(it), why) for it in resources if (why := it.differs(observed))]


def once(differences: Iterable[Difference]) -> list[Difference]:
    """Each thing once, in the words of the first that names it."""
    found: dict[str, Difference] = {}
    for it in differences:
        found.setdefault(it.thing, it)
    return list(found.values())


def _ownership(have: Mapping[str, str], owner: str, mode: str) -> str:
    if have["mode"] != mode:
        return f"mode is {have['mode']}"
    if have["owner"] != owner:
        return f"owner is {have['owner']}"
    return ""
