"""What goes from a host and what stays: decided from what the roles declare and what was seen there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine import paths
from engine.observation import Observed
from engine.resources import (
    Absent,
    Directory,
    Diverted,
    Enabled,
    File,
    Link,
    Packages,
    Resource,
    User,
    sha256,
)


@dataclass(frozen=True)
class Found:
    """What the look does not show of a host."""

    marked: bool  # something of ours is here
    log: bool  # something of ours was here, at least
    sizes: Mapping[str, int]  # bytes of the operator's folders
    drop_ins: tuple[str, ...]  # all files beside our units
    installed: tuple[str, ...]  # Debian packages that our runs found missing


@dataclass(frozen=True)
class Kept:
    """A folder of the operator's."""

    path: str
    what: str
    owner: str
    size: int  # bytes

    def __str__(self) -> str:
        size = f"{self.size / 1e6:.1f} MB" if self.size >= 1e5 else f"{self.size / 1e3:.0f} kB"
        return f"{self.path} ({self.what}, {size})"


@dataclass(frozen=True)
class Removal:
    """What goes from one host, each in the order in which it goes, and what stays."""

    marked: bool
    log: bool
    purge: bool
    units: tuple[str, ...]
    files: tuple[str, ...]
    trees: tuple[str, ...]
    folders: tuple[str, ...]  # others may have something in them: each goes if it is empty then
    users: tuple[str, ...]
    data: tuple[Kept, ...]  # with its users it goes only if `purge`
    data_users: tuple[str, ...]
    left: tuple[str, ...]  # somebody else's, where ours would be
    packages: tuple[str, ...]  # Debian's, which stay
    installed: tuple[str, ...]  # those of them that came with us
    generation: str  # the current one
    nginx: str = ""  # how it was before us, as its unit file's state; empty: it is not ours to look after
    restored: tuple[tuple[str, str], ...] = ()  # links that were out of the way, and where each is kept

    @property
    def needed(self) -> bool:
        """Whether anything goes."""
        return self.marked or (self.purge and self.log)

    @property
    def leaving(self) -> tuple[str, ...]:
        """The users that go."""
        return (*self.users, *(self.data_users if self.purge else ()))

    def goes(self) -> list[str]:
        """What goes, for the operator, a line a kind."""
        ours = (*self.trees, *self.files, *([paths.MARK] if self.marked else []))
        kinds: list[tuple[str, Sequence[object]]] = [("", ours)]
        if self.purge and self.needed:
            kinds += [("for good: ", (*self.data, paths.AUDIT))]
        kinds += [("users ", self.leaving), ("units ", self.units)]
        if self.nginx not in ("", "enabled"):
            kinds += [("no other site left, so it stops, as before the first run: ", [paths.NGINX])]
        return [f"{kind}{', '.join(map(str, things))}" for kind, things in kinds if things]

    def stays(self) -> list[str]:
        """What stays, for the operator, and how it can go, too."""
        lines = [f"{path}: somebody else's" for path in self.left]
        if not (self.marked or self.log):
            return lines
        if not self.purge:
            users = f", with the users {', '.join(self.data_users)}" if self.data_users else ""
            lines += [*map(str, self.data), paths.AUDIT]
            lines += [f"    --data purge=yes removes these for good{users}"]
        if self.installed:
            names = " ".join(self.installed)
            lines += [f"Debian packages that came with it; unless you need them: apt-get remove {names}"]
        else:
            names = " ".join(self.packages)
            lines += [f"Debian packages that it uses, none of them recorded as installed by it: {names}"]
        return lines

    def headline(self) -> str:
        """What becomes of the host, in a line."""
        if self.needed:
            return "removed, with data and weights" if self.purge else "removed"
        return "not provisioned; only kept data are left" if self.log else "not provisioned"


def decide(resources: Sequence[Resource], observed: Observed, found: Found, *, purge: bool) -> Removal:
    """What goes and what stays; what is declared first goes last.

    From a host without our mark nothing goes but, with `purge`, what an earlier removal kept there.
    """
    declared = list(reversed(resources))
    folders = [it for it in declared if isinstance(it, Directory)]
    keeping = [it for it in folders if it.keeps]
    owners = {it.owner for it in keeping if found.marked or found.log}
    here = declared if found.marked else []
    trees = [it.path for it in folders if it.ours]
    paths_of_ours = _once(
        it.path
        for it in here
        if isinstance(it, File | Absent | Link) and observed.there(it.path) and not _within(it.path, trees)
    )
    files = [it for it in paths_of_ours if it != paths.MARK and _ours(it, observed)]
    foreign = [it for it in paths_of_ours if not _ours(it, observed)]
    drop_ins = [it for it in found.drop_ins if it not in files and _unit_of(it) not in foreign]
    users = [it.name for it in declared if isinstance(it, User) and _is(it, observed)]
    names = [name for it in declared if isinstance(it, Packages) for name in it.names]
    shared = [it.path for it in folders if not it.ours and not _within(it.path, (*trees, *_paths(keeping)))]
    return Removal(
        marked=found.marked,
        log=found.log,
        purge=purge,
        units=_units(here, observed),
        files=tuple(files),
        trees=tuple(it for it in trees if found.marked and observed.there(it)),
        folders=_once(
            [*(it for it in shared if found.marked and observed.there(it)), *_drop_in_folders(files)]
        ),
        users=tuple(it for it in users if found.marked and it not in owners),
        data=tuple(
            Kept(it.path, it.keeps, it.owner, found.sizes[it.path])
            for it in keeping
            if it.owner in owners and it.path in found.sizes
        ),
        data_users=tuple(it for it in users if it in owners),
        left=(*foreign, *(drop_ins if found.marked else [])),
        packages=tuple(it for it in names if it in observed.packages),
        installed=tuple(it for it in names if it in observed.packages and it in found.installed),
        nginx=_nginx(observed) if found.marked else "",
        restored=tuple((it.path, it.to) for it in here if isinstance(it, Diverted)),
        generation=observed.current,
    )


def _nginx(observed: Observed) -> str:
    """How nginx was before us; where that record is gone, it is left to run."""
    recorded = observed.paths.get(paths.NGINX_BEFORE)
    if recorded is None:
        return "enabled" if observed.there(paths.SITE) else ""
    return "enabled" if recorded.get("sha256") == sha256("enabled\n") else "not enabled"


def units_of(resources: Iterable[Resource]) -> tuple[str, ...]:
    """Every unit that is declared, whether it is to be or not to be."""
    names = []
    for it in resources:
        if isinstance(it, Enabled) and it.unit != paths.NGINX:
            names.append(it.unit)
        elif isinstance(it, File | Absent) and it.path.rpartition("/")[0] == paths.UNITS:
            names.append(it.path.rpartition("/")[2])
    return _once(names)


def _units(resources: Iterable[Resource], observed: Observed) -> tuple[str, ...]:
    """Those of our units that are there, or run although their file is gone."""
    found = []
    for unit in units_of(resources):
        file = f"{paths.UNITS}/{unit}"
        runs = bool(observed.units.get(unit, {}).get("Fingerprint"))
        if _ours(file, observed) if observed.there(file) else runs:
            found.append(unit)
    return tuple(found)


def _ours(path: str, observed: Observed) -> bool:
    """Among files of systemd, podman and nginx, whose names others may use, too, ours say whose they are."""
    return (
        not _within(path, [paths.UNITS, paths.QUADLETS, paths.SITE])
        or observed.paths[path].get("ours") == "yes"
    )


def _drop_in_folders(files: Iterable[str]) -> list[str]:
    return [folder for it in files if (folder := it.rpartition("/")[0]).endswith(".service.d")]


def _unit_of(drop_in: str) -> str:
    return drop_in.rpartition("/")[0].removesuffix(".d")


def _is(user: User, observed: Observed) -> bool:
    """Whether a run of ours made it: who has another home, or logs in, is somebody."""
    have = observed.users.get(user.name)
    return have is not None and have.home == user.home and not user.foreign(observed)


def _paths(folders: Iterable[Directory]) -> list[str]:
    return [it.path for it in folders]


def _within(path: str, trees: Iterable[str]) -> bool:
    return any(path == it or path.startswith(f"{it}/") for it in trees)


def _once(things: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(things))
