"""Delivering Venom's source: uploaded aside, verified, unpacked aside, renamed into place."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api.deploy import deploy
from pyinfra.api.operation import operation
from pyinfra.context import host

from engine import paths, remote
from engine.archive import Archive
from engine.component import Component
from engine.observation import Observed
from engine.operations import Commands, log_line
from engine.release import ImageRelease, Release


@deploy("Source")
def source_delivered(archive: Archive, release: Release, observed: Observed) -> None:
    """Put the packed source where the release expects it.

    The code is root's and read-only for everybody else. What Venom writes into its own code is a link into
    its state: `config/env-history`, at import; and `.env`, which is where the panel of v1.6 and earlier
    keeps the settings.
    """
    source_unpacked(name="deliver and unpack", archive=archive, release=release, observed=observed)


@operation()
def source_unpacked(archive: Archive, release: Release, observed: Observed) -> Commands:
    """
    Unpack the archive into the release's source directory.

    + archive: the packed source on the controller
    + release: where it belongs
    + observed: what the host has
    """
    if observed.there(release.source_path):
        host.noop(f"{release.source_path} is there")
        return
    upload = f"{paths.CACHE}/source-{release.source}.tar.gz"
    yield log_line(f"source {release.source}: {archive.path.stat().st_size / 1e6:.1f} MB")
    yield remote.send(archive.path, upload)
    links = [f"config/env-history={paths.ENV_HISTORY}", f"{paths.DOT_ENV}={paths.ENV_FILE}"]
    yield remote.shell("unpack.sh", upload, archive.sha256, release.source_path, "source", *links)


@dataclass(frozen=True)
class _Delivery:
    archive: Archive
    release: Release
    observed: Observed

    def begin(self) -> None:
        """Deliver it: what is built of it needs it whole."""
        source_delivered(archive=self.archive, release=self.release, observed=self.observed)

    def end(self) -> None:
        """It is there."""

    def share(self) -> None:
        """Each host gets it from the controller."""


def component(release: Release | ImageRelease, archive: Archive | None) -> Component:
    """Venom's source on the host; absent where Venom comes as images, or where the source is not known."""
    if isinstance(release, ImageRelease) or archive is None:
        return Component(name="source")
    return Component(
        name="source",
        looked_at=(release.source_path,),
        work=lambda _host, observed: _Delivery(archive, release, observed),
    )
