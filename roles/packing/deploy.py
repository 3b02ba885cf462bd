"""Making images on a build host: the base, the bill of materials, the packing, the push. Each is a job."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyinfra.api.command import FunctionCommand, QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from engine import jobs, outcome, paths, remote
from engine.answers import data, understood
from engine.jobs import Job
from engine.observation import Observed
from engine.operations import Commands, fail
from engine.refusal import RefusedError, refuse
from engine.release import Release
from engine.resources import Directory, Packages, Prerequisite
from engine.services import fingerprint
from engine.templates import render
from roles.packing import sbom
from roles.packing.contents import IMAGES, UID, Contents

# git, because Venom's import needs the binary; the C++ library, because Node.js does.
DEBIAN = ("ca-certificates", "git", "libstdc++6")
_STORES = (paths.SOURCES, paths.VENVS, paths.UIS, paths.PYTHONS, paths.NODES, paths.RELEASES)


@dataclass(frozen=True)
class Registry:
    """Where images are published."""

    place: str  # HOST[:PORT][/PATH]
    tls: bool

    @classmethod
    def of(cls, written: str) -> Registry:
        """From what the operator wrote: plain http only where it says http://."""
        scheme, separator, place = written.rpartition("://")
        if (separator and scheme not in {"http", "https"}) or not place.strip("/") or " " in place:
            raise refuse(
                "registry=HOST[:PORT][/PATH], with http:// in front for plain http",
                f'"{written}"',
                "for example --data registry=registry.example.org/venom",
            )
        return cls(place.rstrip("/"), tls=scheme != "http")

    def reference(self, name: str, tag: str) -> str:
        """An image under a tag."""
        return f"{self.place}/{name}:{tag}"


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


@dataclass(frozen=True)
class Publication:
    """Images under their tags: image on the build host → references."""

    registry: Registry
    tags: tuple[str, ...]
    images: tuple[Contents, ...]

    @property
    def wanted(self) -> list[tuple[str, str]]:
        """Each image's path with each of its references."""
        return [
            (it.path, self.registry.reference(it.variant.name, tag))
            for it in self.images
            for tag in self.tags
        ]

    @property
    def job(self) -> Job:
        """Pushes all of them."""
        key = fingerprint({"wanted": self.wanted, "tls": self.registry.tls})
        marker = f"{IMAGES}/published-{key}"
        script = render(
            __file__,
            "publish.sh.j2",
            marker=marker,
            wanted=self.wanted,
            tls="true" if self.registry.tls else "false",
        )
        return Job(name="publish", title="Publication", key=marker, makes=marker, script=script)

    def differs(self, records: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """The references that lead to something else on the registry, or that it does not have.

        `records`: of the packed images, by path. Asks the registry from the build host.
        """
        packed = [(records.get(path, {}).get("digest", ""), reference) for path, reference in self.wanted]
        lines = "\n".join(reference for digest, reference in packed if digest)
        tls = "true" if self.registry.tls else "false"
        answer = remote.ask(StringCommand("sh", "-c", QuoteString(_TAGS), "sh", tls, _stdin=lines))
        if not answer.ok:
            raise refuse("a build host that can ask the registry", answer.stderr.strip() or "no answer")
        there = dict(line.split() for line in answer.stdout.splitlines() if len(line.split()) == 2)
        return [reference for digest, reference in packed if not digest or there.get(reference) != digest]


# Without skopeo nothing was ever published from here.
_TAGS = (
    "while read -r it; do echo \"$it $(skopeo inspect --no-tags --tls-verify=$1 --format '{{.Digest}}'"
    ' "docker://$it" 2>/dev/null)"; done'
)


@operation()
def images_published(publication: Publication, needed: bool) -> Commands:
    """
    Push the images under their tags.

    + publication: what goes where
    + needed: whether the registry lacks any of it
    """
    if not needed:
        host.noop("the registry has all of it")
        return
    yield FunctionCommand(jobs.run_here, (publication.job,), {})


@operation()
def summary_reported(images: Sequence[Contents], publication: Publication | None) -> Commands:
    """
    Note for the end of the run what was packed, and how an inventory names it.

    + images: what was packed
    + publication: where it went
    """
    yield FunctionCommand(_print_summary, (images, publication), {})


def _print_summary(
    state: Any, host: Any, images: Sequence[Contents], publication: Publication | None
) -> bool:
    try:
        known = records(images)
    except RefusedError as refusal:
        return fail(state, host, str(refusal))
    outcome.serves(host.name, summary(images, publication, known))
    return True


def records(images: Sequence[Contents]) -> dict[str, dict[str, Any]]:
    """What is recorded of each packed image, by path; of one that is not there, nothing."""
    lines = "; ".join(f"echo {it.path} $(cat {it.path}/record.json 2>/dev/null)" for it in images)
    answer = remote.ask(StringCommand("sh", "-c", QuoteString(lines)))
    if not answer.ok:
        raise refuse("a host that reports what was packed", answer.stderr.strip() or "no answer")
    return understood("what was packed", answer.stdout, records_in)


def records_in(text: str) -> dict[str, dict[str, Any]]:
    """The records in what the host printed, by path. Raises what `answers.data` raises."""
    found = (line.partition(" ") for line in text.splitlines())
    return {path: data(record, dict[str, Any]) for path, _, record in found if record.strip()}


def summary(
    images: Sequence[Contents], publication: Publication | None, known: Mapping[str, Mapping[str, Any]]
) -> str:
    """Sizes, and the lines for an inventory that installs from these images."""
    lines = ["packed, in MB:"]
    for it in images:
        record, budget = known[it.path], it.variant.budget_mb
        of = f" of {budget}" if budget else ""
        lines.append(
            f"{it.variant.name:<22} installed {record['installed_mb']}{of},"
            f" image {record['unpacked_mb']}, to pull {record['pull_mb']}"
        )
    if publication is None:
        return "\n".join([*lines, f"not published; one OCI layout per image in {IMAGES}"])
    lines.append("for an inventory:")
    for it in images:
        kind = "backend" if it.variant.tiers else "frontend"
        tag = publication.tags[min(1, len(publication.tags) - 1)]
        reference = publication.registry.reference(it.variant.name, tag)
        lines.append(f"{kind}: {reference}@{known[it.path]['digest']}")
    return "\n".join(lines)
