"""Hosts that reach nothing but a store of bundles: provisioned, accepted, upgraded by a delta, rolled back.

Two hosts, and a controller that stands in a network without any way out. Each fixture is the next part.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fleet.bundle import manifest
from lab.hosts import Host
from lab.state import REPOSITORY
from tests.lab import provisioning, visitor
from tests.lab.alone import tried
from tests.lab.conftest import LabHost
from tests.lab.far_side import Far, far_side
from tests.lab.provisioning import Result
from tests.lab.serving import of
from tests.lab.shared.container_hosts import NEW, OLD, by_image
from tests.ssh_keys import pair

Settings = Mapping[str, dict[str, Any]]  # of each host, by its name

FIRST: Settings = {"twelve": {"profile": "light"}, "thirteen": {"profile": "llm_off"}}
SECOND: Settings = {
    "twelve": {"profile": "light", "ollama": {"version": NEW}},
    "thirteen": {"profile": "light", **by_image()},
}


@dataclass(frozen=True)
class Near:
    """The side with the Internet: the hosts are known there, and none is asked."""

    folder: Path
    hosts: Mapping[str, Host]

    @property
    def inventory(self) -> Path:
        """Its YAML; a bundle is for an inventory of this name."""
        return self.folder / "fleet.yaml"

    def make(self, name: str, settings: Settings, *more: str) -> tuple[Path, str]:
        """Make a bundle, as an operator does; gives its folder, and what was printed."""
        provisioning.inventory(
            self.folder, of({one: (host, settings[one]) for one, host in self.hosts.items()})
        )
        to = self.folder / name
        wanted = {"inventory": self.inventory, "to": to, "key": self.folder / "key", "part_mib": 64}
        options = [it for one, value in wanted.items() for it in ("--data", f"{one}={value}")]
        command = [str(Path(sys.executable).with_name("pyinfra")), "-y", "@local", "deploy/bundle.py"]
        done = subprocess.run(
            [*command, *options, *more],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )
        output = done.stdout + done.stderr
        assert done.returncode == 0, output
        return to, output

    def fill(self, bundle: Path, tree: Path, signers: str = "allowed") -> subprocess.CompletedProcess[str]:
        """Fill the tree by the program that lies in the bundle."""
        arguments = ["fill", bundle, tree, "--signers", self.folder / signers]
        command = ["python3", "-I", "-S", bundle / "venom-bundle.pyz", *arguments]
        return subprocess.run(
            list(map(str, command)), capture_output=True, text=True, check=False, timeout=600
        )


@pytest.fixture(scope="module")
def near(upstream: None, module_host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Near:
    """Two bare hosts without a way out, and the key of who makes the bundles."""
    folder = tmp_path_factory.mktemp("near")
    for name, allowed in (("key", "allowed"), ("another", "others")):
        private, public = pair()
        (folder / name).write_bytes(private)
        (folder / name).chmod(0o600)
        (folder / allowed).write_bytes(b"ada@desk " + public)
    hosts = {"twelve": module_host(12, airgapped=True), "thirteen": module_host(13, airgapped=True)}
    return Near(folder, hosts)


@pytest.fixture(scope="module")
def first(near: Near) -> Path:
    """The first bundle."""
    bundle, output = near.make("first", FIRST)
    assert f"a bundle for {near.inventory.stem} in {bundle}" in output
    return bundle


@dataclass(frozen=True)
class Provisioned:
    """The far side after a run and another, and how the hosts were before."""

    far: Far
    first: Result
    again: Result
    apt: Mapping[str, str]
    tried: Mapping[str, int]


@pytest.fixture(scope="module")
def provisioned(near: Near, first: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provisioned]:
    """From the bundle to hosts that serve, by a clone of what it brought."""
    folder = tmp_path_factory.mktemp("far")
    filled = near.fill(first, folder / "store")
    assert filled.returncode == 0, filled.stderr
    with far_side(folder, near.hosts) as far:
        far.prepare()
        apt = {name: _own_apt(it) for name, it in near.hosts.items()}
        tries = {name: tried(it) for name, it in near.hosts.items()}
        yield Provisioned(far, far.run(FIRST).check(), far.run(FIRST).check(), apt, tries)


def test_a_bundle_for_fat_disks_has_no_part_that_is_larger_than_asked(first: Path) -> None:
    assert max(it.stat().st_size for it in first.iterdir()) <= 64 << 20


def test_hosts_without_the_internet_are_provisioned_from_a_bundle(provisioned: Provisioned) -> None:
    far = provisioned.far
    for host in far.hosts.values():
        assert visitor.fetch(host, f"{visitor.BACKEND}/healthz").status == 200
        assert host.address in far.log.read_text(encoding="utf-8")
    assert visitor.chat(far.hosts["twelve"], "Who brought you?").status == "COMPLETED"
    assert provisioned.again.changed_operations == []


def test_debians_packages_come_from_it_too_and_the_hosts_own_apt_stays_as_it_was(
    provisioned: Provisioned,
) -> None:
    for name, host in provisioned.far.hosts.items():
        assert "Status: install ok installed" in host.run("dpkg --status nginx").stdout
        assert _own_apt(host) == provisioned.apt[name]


def test_hosts_without_the_internet_are_accepted(provisioned: Provisioned) -> None:
    verified = provisioned.far.run(FIRST, "deploy/verify.py")
    assert verified.status == 0, verified.output
    assert "\naccepted" in verified.output


@dataclass(frozen=True)
class Upgraded:
    """The far side after a delta: what it brought, and the run with it."""

    far: Far
    near: Near
    first: Path
    delta: Path
    output: str  # of who made it
    run: Result


@pytest.fixture(scope="module")
def upgraded(provisioned: Provisioned, near: Near, first: Path) -> Upgraded:
    """A newer Ollama for one host; for the other a model, served from an image."""
    delta, output = near.make("second", SECOND, "--data", f"since={first}")
    filled = near.fill(delta, provisioned.far.tree)
    assert filled.returncode == 0, filled.stderr
    return Upgraded(provisioned.far, near, first, delta, output, provisioned.far.run(SECOND).check())


def test_a_delta_packs_what_is_new_and_goes_on_nothing_but_what_it_names(
    upgraded: Upgraded, tmp_path: Path
) -> None:
    assert "on top of the one from " in upgraded.output
    items = manifest.read((upgraded.delta / manifest.NAME).read_bytes()).items
    packed = {it.name for it in items if it.packed}
    assert f"ollama {NEW}" in packed
    assert not any("gemma3" in it for it in packed), "the weights came with the first"
    refused = upgraded.near.fill(upgraded.delta, tmp_path / "elsewhere")
    assert "this is a delta" in refused.stderr


def test_hosts_are_upgraded_by_a_delta(upgraded: Upgraded) -> None:
    versions = {name: _ollama(host) for name, host in upgraded.far.hosts.items()}
    assert versions == {"twelve": NEW, "thirteen": OLD}
    thirteen = upgraded.far.hosts["thirteen"]
    assert thirteen.run("podman ps --format '{{.Names}}'").stdout.split() == ["venom-ollama"]
    for host in upgraded.far.hosts.values():
        assert visitor.chat(host, "What is new?").status == "COMPLETED"


def test_hosts_that_a_delta_upgraded_go_back_and_forth(upgraded: Upgraded) -> None:
    back = upgraded.far.run(SECOND, "deploy/rollback.py").check()
    assert all("serves" in it for it in back.endings.values()), back.output
    assert _ollama(upgraded.far.hosts["twelve"]) == OLD
    assert upgraded.far.hosts["thirteen"].run("podman ps --quiet").stdout == ""
    for host in upgraded.far.hosts.values():
        assert visitor.fetch(host, f"{visitor.BACKEND}/healthz").status == 200


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("older", "take the newest"),
        ("swapped", "it holds what tree.tar.00"),
        ("a stranger's", "signed with a key that is not there"),
    ],
)
def test_a_bundle_that_does_not_belong_there_leaves_what_hosts_are_served(
    upgraded: Upgraded, tmp_path: Path, what: str, found: str
) -> None:
    before = _listing(upgraded.far.tree)
    bundle = upgraded.first
    if what == "swapped":
        bundle = Path(shutil.copytree(bundle, tmp_path / what, copy_function=os.link))
        one, two = (bundle / f"tree.tar.00{it}" for it in (1, 2))
        for old, new in ((one, bundle / "aside"), (two, one), (bundle / "aside", two)):
            old.rename(new)
    refused = upgraded.near.fill(bundle, upgraded.far.tree, "others" if what == "a stranger's" else "allowed")
    assert refused.returncode != 0
    assert found in refused.stderr
    assert _listing(upgraded.far.tree) == before


@pytest.mark.usefixtures("upgraded")
def test_nobody_has_tried_to_send_a_packet_anywhere_else(provisioned: Provisioned) -> None:
    assert provisioned.far.controller.tried == 0
    assert {name: tried(it) for name, it in provisioned.far.hosts.items()} == provisioned.tried


def _own_apt(host: Host) -> str:
    """What the host's administrator has written for apt."""
    return host.run("cd /etc/apt && find . -type f -exec sha256sum {} + | sort").stdout


def _ollama(host: Host) -> str:
    version: str = visitor.fetch(host, f"{visitor.OLLAMA}/api/version").json()["version"]
    return version


def _listing(tree: Path) -> list[tuple[str, int, int]]:
    """Every file there but the lock, with its size and when it was last written."""
    found = (it for it in tree.rglob("*") if it.is_file() and it.name != "lock")
    return sorted((str(it), it.stat().st_size, it.stat().st_mtime_ns) for it in found)
