"""What a plan is built from: the release, its source and its lock, or the images that hold all of it."""

from __future__ import annotations

from dataclasses import dataclass

from engine.archive import Archive
from engine.environment import Lock
from engine.release import ImageRelease, Release
from fleet.engines import lock_of
from roles.backend import deploy as backend
from roles.backend.lock import lock_for
from roles.source.archive import pack
from roles.ui import deploy as ui
from schemas.model import HostPlan


@dataclass(frozen=True)
class Build:
    """The parts of a release. Of images, and of what is not known, there is neither source nor lock."""

    release: Release | ImageRelease
    archive: Archive | None = None  # the source
    lock: Lock | None = None  # of the backend's packages
    vllm: Lock | None = None  # of vLLM's; None: the plan has no vLLM

    @classmethod
    def of(cls, plan: HostPlan, *, offline: bool = False) -> Build:
        """Of the plan's images or source. Raises RefusedError where that, or its lock, cannot be had.

        `offline`: of what this machine does not have, nothing is fetched or resolved for it.
        """
        if by_image := ImageRelease.of(plan):
            return cls(by_image)
        archive = pack(plan.source, offline=offline)
        lock = lock_for(plan, archive, offline=offline)
        release = Release.of(plan, archive.key, archive.digest_of(*ui.SOURCES), lock.sha256)
        vllm = lock_of(plan, plan.vllm, offline=offline) if plan.vllm else None
        return cls(release, archive, lock, vllm)

    @classmethod
    def unknown(cls, plan: HostPlan) -> Build:
        """For who only wants to know what there is on a host, and where: nothing is read or fetched."""
        return cls(ImageRelease.of(plan) or Release.of(plan, source="", web="", lock=""))

    @property
    def launchers(self) -> dict[str, str]:
        """The scripts of the release that its units start, by file name; an image has its own."""
        if isinstance(self.release, ImageRelease):
            return {}
        return {"backend": backend.launcher(self.release), "ui-server": ui.launcher(self.release)}
