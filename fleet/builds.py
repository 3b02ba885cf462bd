"""How the parts of a release come to a host: made there from a source, or pulled as images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine import jobs
from engine.archive import Archive
from engine.containers import pull_job
from engine.jobs import Job
from engine.observation import Seen
from engine.release import ImageRelease, Release
from roles.backend import deploy as backend
from roles.backend.lock import Lock, lock_for
from roles.backend.uv import wheel
from roles.release.deploy import tied
from roles.source.archive import pack
from roles.source.deploy import source
from roles.ui import deploy as ui
from roles.ui import shared
from roles.ui.shared import UiWork, work_for
from schemas.model import HostPlan


@dataclass(frozen=True)
class Made:
    """A release that the host makes: its source, and the two jobs that make the rest of it."""

    plan: HostPlan
    archive: Archive
    lock: Lock
    release: Release
    environment: Job
    build: Job

    @classmethod
    def of(cls, plan: HostPlan, *, offline: bool) -> Made:
        """From the plan's source. Raises RefusedError where that, or its lock, cannot be had.

        `offline`: of what this machine does not have, nothing is fetched or resolved for it.
        """
        archive = pack(plan.source, offline=offline)
        lock = lock_for(plan, archive, offline=offline)
        release = Release.of(plan, archive.key, archive.digest_of(*ui.SOURCES), lock.sha256)
        return cls(
            plan=plan,
            archive=archive,
            lock=lock,
            release=release,
            environment=backend.environment_job(plan, release, lock),
            build=ui.build_job(plan, release),
        )

    @property
    def jobs(self) -> list[Job]:
        """The long work that makes it."""
        return [self.environment, self.build]

    @property
    def launchers(self) -> dict[str, str]:
        """The scripts of the release that its units start."""
        return {"backend": backend.launcher(self.release), "ui-server": ui.launcher(self.release)}

    def work(self, host: str, seen: Seen) -> Making:
        """What `host` does for it, from what it has."""
        uv_there = seen.there(self.release.venv_path) or seen.there(backend.uv_path(self.plan))
        return Making(
            made=self,
            seen=seen,
            wheel=None if uv_there else wheel(self.plan),
            ui=work_for(host, self.build, ui.node_job(self.plan, self.release), seen),
        )


@dataclass(frozen=True)
class Making:
    """What one run does on a host for the parts of its release."""

    made: Made
    seen: Seen
    wheel: Path | None  # uv, where an environment has to be made and the host has no uv yet
    ui: UiWork

    def begin(self) -> None:
        """Start the long branches, which go side by side on the host, the longest first."""
        made, seen = self.made, self.seen
        source(archive=made.archive, release=made.release, seen=seen)
        ui.build(work=self.ui, seen=seen)
        backend.environment(
            plan=made.plan,
            release=made.release,
            lock=made.lock,
            wheel=self.wheel,
            job=made.environment,
            seen=seen,
        )

    def end(self) -> None:
        """Wait for them, and tie together what they made."""
        made, seen = self.made, self.seen
        backend.installed(job=made.environment, seen=seen)
        ui.built(work=self.ui, seen=seen)
        tied(
            name="Release | tie together",
            plan=made.plan,
            release=made.release,
            launchers=made.launchers,
            seen=seen,
        )

    def give(self) -> None:
        """Let other hosts of this run have what this one has already."""
        shared.given(name="As declared", work=self.ui, seen=self.seen)


@dataclass(frozen=True)
class Pulled:
    """A release that comes as two images."""

    release: ImageRelease
    backend: Job
    frontend: Job

    @classmethod
    def of(cls, release: ImageRelease, arch: str) -> Pulled:
        """The images of the release for a host of that architecture."""
        images, engine = release.images, release.engine
        return cls(
            release,
            backend=pull_job(images.backend, engine, arch, "Backend image"),
            frontend=pull_job(images.frontend, engine, arch, "UI image"),
        )

    @property
    def jobs(self) -> list[Job]:
        """The long work that makes it."""
        return [self.backend, self.frontend]

    @property
    def archive(self) -> None:
        """Its source is in the images: nobody here has it."""
        return None

    def work(self, host: str, seen: Seen) -> Pulling:
        """What `host` does for it, from what it has."""
        return Pulling(self, seen)


@dataclass(frozen=True)
class Pulling:
    """What one run does on a host for the images of its release."""

    pulled: Pulled
    seen: Seen

    def begin(self) -> None:
        """Start the two pulls."""
        jobs.start(name="Backend image | start the pull", job=self.pulled.backend, seen=self.seen)
        jobs.start(name="UI image | start the pull", job=self.pulled.frontend, seen=self.seen)

    def end(self) -> None:
        """Wait for them."""
        jobs.finish(name="Backend image | pull", job=self.pulled.backend, seen=self.seen)
        jobs.finish(name="UI image | pull", job=self.pulled.frontend, seen=self.seen)

    def give(self) -> None:
        """Other hosts pull for themselves."""


def parts_of(plan: HostPlan, *, offline: bool) -> Made | Pulled:
    """How this plan's parts come to the host; `offline` as for `Made.of`."""
    by_image = ImageRelease.of(plan)
    return Pulled.of(by_image, plan.arch) if by_image else Made.of(plan, offline=offline)
