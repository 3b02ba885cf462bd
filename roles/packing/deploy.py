"""Making images on a build host: the base, the packing, and the bill of materials."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from engine import paths, remote
from engine.answers import understood
from engine.jobs import Job
from engine.observation import Observed
from engine.operations import Commands, fail
from engine.refusal import RefusedError
from engine.release import Release
from engine.resources import Directory, Packages, Prerequisite
from engine.services import fingerprint
from engine.templates import render
from roles.packing import sbom
from roles.packing.contents import IMAGES, UID, Contents

# git, because Venom's import needs the binary; the C++ library, because Node.js does.
DEBIAN = ("ca-certificates", "git", "libstdc++6")
_STORES = (paths.SOURCES, paths.VENVS, paths.UIS, paths.PYTHONS, paths.NODES, paths.RELEASES)


def prerequisites() -> list[Prerequisite]:
    """What a build host has besides the ground of every host."""
    return [
        Packages(("buildah", "debian-archive-keyring", "mmdebstrap", "skopeo")),
        Directory(IMAGES),
    ]


def base_job() -> Job:
    """Makes the base: a Debian of today, so that what is packed has its security updates."""
    today = datetime.now(UTC).strftime("%Y%m%d")
    values = {
        "packages": DEBIAN,
        "folders": [*_STORES, paths.UI_CACHE, paths.STATE],
        "uid": UID,
        "state": paths.STATE,
        "cache": paths.UI_CACHE,
        "images": IMAGES,
    }
    text = render(__file__, "base.sh.j2", base="", **values)
    base = f"{IMAGES}/base-{fingerprint({'text': text})[:8]}-{today}"
    script = render(__file__, "base.sh.j2", base=base, **values)
    return Job(name="base", title="Debian for the images", key=base, makes=base, script=script)


def pack_job(contents: Contents, base: Job) -> Job:
    """Makes the image of a variant."""
    variant, work = contents.variant, f"{paths.BUILD}/packing"
    name, text = contents.launcher
    backend = name == "backend"
    request = {
        "path": f"{work}/release",
        "links": dict(contents.links),
        "scripts": {name: text},
        "description": dict(contents.description),
    }
    script = render(
        __file__,
        "pack.sh.j2",
        image=contents.path,
        images=IMAGES,
        work=work,
        name=variant.name,
        measured=contents.measured,
        budget=variant.budget_mb,
        base=base.makes,
        layers=contents.layers,
        tie=remote.script("tie_release.py"),
        request=json.dumps(request),
        releases=paths.RELEASES,
        key=contents.folder,
        current=paths.CURRENT,
        sbom=contents.sbom,
        backend=backend,
        state=paths.STATE,
        env_history=paths.ENV_HISTORY,
        workdir=paths.STATE if backend else "/",
        entrypoint=json.dumps([f"{paths.CURRENT}/{name}"]),
        environment=dict(contents.environment),
        labels=dict(contents.labels),
        uid=UID,
    )
    return Job(
        name="pack",
        title=f"Image {variant.name}",
        key=contents.path,
        makes=contents.path,
        script=script,
    )


@operation()
def bill_of_materials_written(contents: Contents, base: Job, system: str, observed: Observed) -> Commands:
    """
    Write the bill of materials of an image that is going to be packed.

    + contents: what goes into it
    + base: what made the Debian that it stands on
    + system: of the build host, e.g. "debian 13"
    + observed: what the host has
    """
    if observed.there(contents.path):
        host.noop(f"{contents.path} is there")
        return
    yield FunctionCommand(_describe, (contents, base, system), {})


def _describe(state: Any, host: Any, contents: Contents, base: Job, system: str) -> bool:
    plan = contents.plan
    packages = remote.ask(StringCommand("cat", f"{base.makes}/packages"))
    if not packages.ok:
        return fail(state, host, f"what Debian is in the base could not be read: {packages.stderr}")
    distribution = system.replace(" ", "-")
    npm = None if contents.variant.tiers else remote.ask(_npm(contents.release))
    if npm and not npm.ok:
        return fail(state, host, f"npm could not list the packages of the UI:\n{npm.stderr[-2000:]}")
    try:
        found = understood(
            "which packages the base has", packages.stdout, lambda it: sbom.of_debian(it, distribution)
        )
        if npm:
            found += understood("which packages the UI has", npm.stdout, sbom.of_npm)
    except RefusedError as refusal:
        return fail(state, host, str(refusal))
    if npm:
        found += [sbom.of_artifact(plan.node.artifact)]
    else:
        found += sbom.of_lock(contents.lock)
        found += [sbom.of_artifact(plan.python.artifact)] if plan.python.artifact else []
    text = sbom.bill(contents.variant.name, plan.source.commit or plan.source.release, found)
    answer = remote.ask(remote.shell("put.sh", contents.sbom, "root", "0644", stdin=text))
    return answer.ok or fail(state, host, f"the bill of materials could not be written: {answer.stderr}")


def _npm(release: Release) -> StringCommand:
    """npm's own list of what `npm ci` installs of its lock; no package's code runs for it."""
    return StringCommand(
        *("runuser", "-u", "venom-build", "--", "env", "-C", f"{release.source_path}/web-next"),
        *(f"HOME={paths.BUILD}/home", f"PATH={release.node_path}/bin:/usr/bin:/bin"),
        *("npm", "sbom", "--sbom-format=cyclonedx", "--package-lock-only", "--omit=dev"),
    )
