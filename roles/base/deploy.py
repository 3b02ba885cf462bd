"""The ground under everything else: Debian packages, certificates, users, directories, the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from pyinfra.api.deploy import deploy
from pyinfra.api.operation import operation
from pyinfra.context import host

from engine import containers, paths, proxy, remote
from engine.component import Component, Need
from engine.observation import Observed
from engine.operations import Commands, resources_converged
from engine.proxy import Way
from engine.resources import Absent, Directory, Enabled, File, Packages, Prerequisite, User, sha256
from engine.templates import render
from schemas.hardware import MODERN, Engine

# python3 and the unpackers are for the provisioner itself; git, because Venom's import needs the binary
# (docs/facts.md#python-and-packages); nginx and nftables are the door. What of them Debian would start by
# itself waits for our settings: nginx would serve a page of its own to everybody.
PACKAGES = Packages(
    ("ca-certificates", "curl", "git", "nftables", "nginx", "openssl", "python3", "xz-utils", "zstd"),
    held=(("nginx", paths.NGINX),),
)


# Made on the host by the first switch that copies data.
SNAPSHOTS = Directory(paths.SNAPSHOTS, mode="0700", keeps="data as they were before switches")


def resources(
    engine: Engine | None, ca_bundle: str | None, way: Way, origin: Mapping[str, str], *, later: bool = False
) -> list[Prerequisite]:
    """What every host has, whatever its profile. `origin`, `later`: of its packages (`Packages`)."""
    packages = (PACKAGES, *containers.packages(engine))
    return [
        mark(),
        *(replace(it, origin=origin, later=later) for it in packages),
        Enabled(paths.TARGET),
        *_certificates(ca_bundle),
        trust(ca_bundle),
        User("venom", paths.STATE),
        User("venom-build", f"{paths.BUILD}/home"),
        Directory(paths.OPT, ours=True),
        *(
            Directory(path)
            for path in (
                *(paths.SOURCES, paths.VENVS, paths.UIS, paths.PYTHONS),
                *(paths.NODES, paths.TOOLS, paths.RELEASES, paths.IMAGES),
            )
        ),
        Directory(paths.JOBS, mode="0700"),
        Directory(paths.ETC, ours=True),
        proxy.file(way),
        Directory(paths.CERTIFICATES),
        # They hold what the settings file holds, secrets included.
        Directory(paths.GENERATIONS, mode="0700"),
        Directory(paths.STATE, owner="venom", mode="0700", keeps="data and settings, secrets among them"),
        Directory(paths.ENV_HISTORY, owner="venom", mode="0700"),
        # What acceptances measured.
        Directory(paths.RECORDS, ours=True),
        Directory(paths.CACHE, ours=True),
        # Root's, with folders of the builder's in it: what a build runs can lay no trap for root here.
        Directory(paths.BUILD, ours=True),
        Directory(f"{paths.BUILD}/home", owner="venom-build", mode="0700"),
    ]


def mark() -> File:
    """The first thing of ours on a host, before any package, and the last that removal takes.

    Where it is, a run that was cut off left what there is; where it is not, what there is is somebody's.
    """
    return File(paths.MARK, render(__file__, "venom.target.j2"))


def _certificates(ca_bundle: str | None) -> list[Prerequisite]:
    if ca_bundle is None:
        return [Absent(paths.OPERATOR_CA)]
    text = Path(ca_bundle).read_text(encoding="utf-8")
    return [File(paths.OPERATOR_CA, text if text.endswith("\n") else f"{text}\n")]


def trust(ca_bundle: str | None) -> Prerequisite:
    """What says which certificates of the operator's are in the host's bundle: written once they are.

    The bundle is made of the certificates by a command; a run may be killed between the two.
    """
    if ca_bundle is None:
        return Absent(paths.TRUSTED)
    return File(paths.TRUSTED, f"{sha256(Path(ca_bundle).read_text(encoding='utf-8'))}\n")


@deploy("Base")
def prerequisites_made(
    prerequisites: Sequence[Prerequisite], ca_bundle: str | None, observed: Observed
) -> None:
    """Make the host ready for all other roles. `prerequisites`: what all of them stand on."""
    made = [it for it in prerequisites if it not in (mark(), trust(ca_bundle))]
    resources_converged(name="packages, users, directories", resources=made, observed=observed)
    certificates_trusted(name="certificates", ca_bundle=ca_bundle, observed=observed)


@deploy("Base")
def host_marked(observed: Observed) -> None:
    """Say on the host whose it is, before anything else is changed there."""
    resources_converged(name="mark", resources=[mark()], observed=observed)


@operation()
def certificates_trusted(ca_bundle: str | None, observed: Observed) -> Commands:
    """
    Let the host's certificate bundle follow the operator's.

    + ca_bundle: the operator's, on the controller, if there is one
    + observed: what the host has
    """
    different = [it for it in (*_certificates(ca_bundle), trust(ca_bundle)) if it.differs(observed)]
    if not different and observed.there(paths.CA_CERTIFICATES):
        host.noop("the certificate bundle is as declared")
        return
    # Anew: else links to a certificate that is gone would stay.
    yield remote.shell("quiet.sh", "update-ca-certificates", "--fresh")
    yield from resources_converged._inner(resources=[trust(ca_bundle)], observed=observed)


# Bytes on the disk, measured on a bare Debian.
_PACKAGES_BYTES = {"/usr": int(0.1e9), "/var": int(0.4e9)}


def component(
    engine: Engine | None,
    ca_bundle: str | None,
    way: Way,
    origin: Mapping[str, str] = MappingProxyType({}),
    *,
    later: bool = False,
) -> Component:
    """What every host has, whatever serves there. `engine`: what runs its containers, if it has any.

    `origin`, `later`: where its packages come from, and whether only in this run (`Packages`).
    """
    return Component(
        name="base",
        prerequisites=tuple(resources(engine, ca_bundle, way, origin, later=later)),
        # Whatever the inventory says now: what an earlier one brought may be here.
        leftovers=(SNAPSHOTS, *(() if engine else containers.packages(MODERN))),
        needs=(Need("Debian packages", {paths.OPT: ""}, _PACKAGES_BYTES),),
        sizes={"data": paths.STATE},
    )
