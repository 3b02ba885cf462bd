"""What a run of deploy/bundle.py packs, and where: known before anything is fetched."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from engine import controller
from engine.options import Options
from engine.refusal import Finding, RefusedError, ends_the_run, refuse
from engine.secrets import reveal
from fleet.bundle import provisioner, signature
from fleet.bundle.bill import bill_of
from fleet.bundle.contents import Planned, add_cached, contents, plans
from fleet.bundle.download import Session
from fleet.bundle.fault import BundleError
from fleet.bundle.gathering import Gathered, Gathering
from fleet.bundle.making import above, beneath, is_free, write
from fleet.bundle.manifest import Inventory as Named
from fleet.bundle.manifest import Manifest
from fleet.bundle.pack import Progress, silent
from schemas.declared import ssh_key
from schemas.inventory import Inventory, InventoryError, load
from schemas.plan import item as kinds
from schemas.plan.item import Item
from schemas.plan.tree import tokens_of

DEFAULT = ("debian 12", "debian 13")


@dataclass(frozen=True)
class Bundling:
    """A bundle before it is made."""

    inventory: Inventory
    systems: tuple[str, ...]
    planned: tuple[Planned, ...]
    to: Path
    key: Path
    since: Path | None
    limit: int  # bytes of a part; 0: no limit

    @property
    def plain(self) -> Manifest:
        """Its manifest without what is still to be fetched."""
        path = _yaml(self.inventory.path)
        return Manifest(
            inventory=Named(path.stem, hashlib.sha256(path.read_bytes()).hexdigest()),
            created=_now(),
            provisioner=provisioner.commit(),
            releases=tuple(sorted({it.plan.source.release for it in self.planned})),
            architectures=tuple(sorted({it.plan.arch for it in self.planned})),
            systems=self.systems,
            items=(),
            parts=(),
        )

    def make(self, progress: Progress = silent) -> Manifest:
        """Fetch what is missing, pack and sign. Raises RefusedError where something cannot be had."""
        with as_refusals():
            plain = self.plain
            gathered = self._gathered(plain.architectures, progress)
            items = tuple(it.item for it in gathered.having.values())
            manifest = replace(plain, items=items, lacks=tuple(gathered.lacks))
            if self.since:
                manifest = above(manifest, self.since)
            having = [gathered.having[it.sha256] for it in manifest.packed]
            bill = bill_of(manifest)
            return write(self.to, manifest, having, self.key, bill=bill, limit=self.limit, progress=progress)

    def _gathered(self, architectures: Sequence[str], progress: Progress) -> Gathered:
        cache = controller.cache_directory("bundle")
        wanted = contents(self.planned, cache)
        tokens = {hub: secret for it in self.planned for hub, secret in tokens_of(it.plan).items()}
        session = Session(reveal(tokens))
        found = Gathering(cache, wanted.made, architectures, session, progress).gather(wanted.needed)
        clone = Item(kinds.SOURCE, "this provisioner", (), 0, (), provisioner.CLONE)
        found.add(clone, provisioner.clone(cache), ())
        for it in self.planned:
            add_cached(it, found)
        listed = cache / "held.txt"
        listed.write_text(wanted.held, encoding="utf-8")
        found.add(Item(kinds.FILE, "list of what the store holds", (), 0, (), listed.name), listed, ())
        found.lacks += wanted.lacks
        if changed := provisioner.uncommitted():
            found.lacks.append(f"what is not committed in {len(changed)} files of this repository")
        return found


def plan_bundling(options: Options) -> Bundling:
    """What was asked for, and what it takes. Raises RefusedError with what stands against it, and DeployError
    where the inventory is not sound."""
    wrong = [
        Finding(f"--data {name}={value}", "no such option", f"--data {name}={example}")
        for name, value, example in (
            ("inventory", "FILE", "inventories/office.yaml"),
            ("to", "FOLDER", "/media/ada/disk/office"),
            ("key", "FILE", "~/.ssh/id_ed25519"),
        )
        if not options.text(name)
    ]
    limit = options.text("part_mib") or "0"
    if not limit.isascii() or not limit.isdigit() or (options.text("part_mib") and not int(limit)):
        wrong.append(Finding("part_mib=NUMBER of MiB, e.g. 4095 for a FAT disk", limit, "name a number"))
    if wrong:
        raise RefusedError(wrong)
    to, since = _path(options, "to"), options.text("since")
    key = usable(_path(options, "key"))
    with as_refusals():
        is_free(to)
    provisioner.commit()
    inventory = _inventory(_path(options, "inventory"))
    asked = tuple(dict.fromkeys(options.words("systems") or DEFAULT))
    older = _path(options, "since") if since else None
    if older:
        with as_refusals():
            beneath(older, inventory.path.stem)
    return Bundling(
        inventory=inventory,
        systems=asked,
        planned=tuple(plans(inventory.hosts, asked)),
        to=to,
        key=key,
        since=older,
        limit=int(limit) << 20,
    )


def summary(manifest: Manifest, to: Path) -> str:
    """What was made, and what it lacks, for the end of the run."""
    size = sum(it.size for it in manifest.packed) / 1e6
    parts = f"{len(manifest.parts)} parts" if len(manifest.parts) > 1 else "1 part"
    what = f"{len(manifest.packed)} files, {size:.0f} MB, {parts}"
    lines = [f"a bundle for {manifest.inventory.name} in {to}: {what}"]
    if manifest.since:
        lines.append(
            f"on top of the one from {manifest.since.created} (manifest {manifest.since.sha256[:12]}…)"
        )
    return "\n".join([*lines, *(f"not in it: {it}" for it in manifest.lacks)])


@contextmanager
def as_refusals() -> Iterator[None]:
    """Turn what is wrong with a bundle into a refusal."""
    try:
        yield
    except BundleError as error:
        raise refuse(error.requirement, error.found, error.remedy) from error


def _path(options: Options, name: str) -> Path:
    return Path(options.text(name)).expanduser()


def _yaml(path: Path) -> Path:
    return path.with_suffix(".yaml") if path.suffix == ".py" else path


def _inventory(path: Path) -> Inventory:
    try:
        return load(_yaml(path))
    except InventoryError as error:
        raise ends_the_run(Finding("a sound inventory", f"\n{error}", "")) from None


def usable(path: Path) -> Path:
    """The key, if it signs: that is found out before hours of downloads."""
    found, remedy = ssh_key.fault(str(path))
    if found:
        raise refuse("an SSH key that signs: key=FILE", found, remedy)
    with as_refusals(), tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe"
        probe.write_bytes(b"")
        signature.sign(probe, path)
    return path


def _now() -> str:
    """When it is made; SOURCE_DATE_EPOCH says another time, for the same bytes once more."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    at = datetime.fromtimestamp(int(epoch), UTC) if epoch.isdigit() else datetime.now(UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
