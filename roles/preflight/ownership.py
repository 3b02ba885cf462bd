"""What is on a host already, and is not ours: it is refused, never taken over. Pure: look in, findings out.

Ours is what a run made, or what equals what a run would make. What lies in folders that others use, too
(units, quadlets, nginx's sites), says by itself whose it is; of the rest our mark says it, the first thing
that a run puts on a host.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine import paths
from engine.observation import Observed
from engine.refusal import Finding
from engine.resources import Absent, Directory, EnvFile, File, Link, Resource, User
from roles.preflight import containers

_SHARED = (f"{paths.UNITS}/", f"{paths.QUADLETS}/", paths.SITE)
_NAMED = 3  # how many names of what is in a folder are shown


def findings(resources: Sequence[Resource], units: Sequence[str], observed: Observed) -> list[Finding]:
    """Everything of somebody else's that stands where `resources` would be, all at once.

    `units`: those of all components, whether they are to run or not.
    """
    folders = [it for it in resources if isinstance(it, Directory) and (it.ours or it.keeps)]
    return [
        *_units(units, observed),
        *_files(resources, units, [it.path for it in folders], observed),
        *(finding for it in folders for finding in _folder(it, observed)),
        *_users(resources, observed),
    ]


def _units(units: Iterable[str], observed: Observed) -> Iterable[Finding]:
    for unit in units:
        if file := observed.foreign(unit) or containers.foreign_quadlet(unit, observed):
            yield Finding(
                f"no {unit} of somebody else's",
                file,
                f"move its settings into the inventory, then: {_away(unit, file)} "
                "(its models can stay: they are neither used nor changed)",
            )


def _away(unit: str, file: str) -> str:
    if file.startswith(paths.QUADLETS):
        return f"systemctl stop {unit}; rm {file}; systemctl daemon-reload"
    return f"systemctl disable --now {unit}; rm -rf {file} {paths.UNITS}/{unit}.d; systemctl daemon-reload"


def _files(
    resources: Iterable[Resource], units: Iterable[str], folders: Sequence[str], observed: Observed
) -> Iterable[Finding]:
    reported = {observed.foreign(unit) or containers.foreign_quadlet(unit, observed) for unit in units}
    for it in resources:
        if not isinstance(it, File | Link | EnvFile | Absent) or it.path in reported:
            continue
        if any(f"{it.path}/".startswith(f"{folder}/") for folder in folders) or not _foreign(it, observed):
            continue
        reported.add(it.path)
        yield Finding(
            f"no {it.path} of somebody else's",
            f"a {observed.paths[it.path]['kind']} that the provisioner did not write",
            f"move it elsewhere, or give it another name: mv {it.path} {it.path}.before",
        )


def _foreign(it: File | Link | EnvFile | Absent, observed: Observed) -> bool:
    if not observed.there(it.path) or observed.ours(it.path):
        return False
    if observed.known and not it.path.startswith(_SHARED):
        return False
    # Equal to what we would make: then nobody loses anything.
    return bool(it.differs(observed))


def _folder(it: Directory, observed: Observed) -> Iterable[Finding]:
    have = observed.paths.get(it.path)
    if have is None:
        return
    if have["kind"] == "link":
        found = f"a link to {have['target']}, which is no folder"
        yield Finding(f"a folder {it.path}", found, "mount what it leads to, or remove the link")
    elif have["kind"] != "directory":
        yield Finding(f"a folder {it.path}", f"a {have['kind']}", f"mv {it.path} {it.path}.before")
    elif "loose" in have:
        yield Finding(
            f"{it.path} where only root can write",
            f"a link to {have['target']}: users other than root can write in {have['loose']}",
            "point it to a folder that lies in folders of root's only",
        )
    elif names := _others(it, observed):
        more = ", …" if len(names) > _NAMED else ""
        yield Finding(
            f"no {it.path} of somebody else's",
            f"a folder of {have['owner']}'s with {', '.join(names[:_NAMED])}{more}, "
            "on a host without a trace of an earlier run",
            f"move it elsewhere: mv {it.path} {it.path}.before",
        )


def _others(it: Directory, observed: Observed) -> list[str]:
    """What in it is not ours: on a host of ours nothing, else all but what an earlier removal has left."""
    if observed.known or (it.keeps and observed.paths[it.path]["owner"] == it.owner != "root"):
        return []
    # Runs of former versions recorded that before they left their mark.
    return [name for name in observed.holds.get(it.path, ()) if f"{it.path}/{name}" != paths.NGINX_BEFORE]


def _users(resources: Iterable[Resource], observed: Observed) -> Iterable[Finding]:
    for it in resources:
        if isinstance(it, User) and (found := it.foreign(observed)):
            group = f"; groupdel {it.name}" if it.name in observed.groups else ""
            yield Finding(
                f"no user or group {it.name} of somebody else's: it is the name of a system user of ours",
                found,
                f"a person: give them another name (usermod --login, groupmod --new-name). A service that is "
                f"gone: userdel {it.name}{group}",
            )
