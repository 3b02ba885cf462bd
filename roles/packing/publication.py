"""Publishing images in a registry: under which references, what it lacks, and the push as a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyinfra.api.command import FunctionCommand, QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from engine import jobs, remote
from engine.jobs import Job
from engine.operations import Commands
from engine.refusal import refuse
from engine.services import fingerprint
from engine.templates import render
from roles.packing.contents import IMAGES, Contents


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
