"""What removal decides: without our mark nothing goes, and never what is somebody else's."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

from engine.observation import Account, Group, Observed
from engine.resources import Directory, User
from fleet.assessment import declared_of, possible_components
from roles.removal.deploy import SCRIPTS
from roles.removal.removal import Found, Removal, decide
from tests.roles.plans import declared

FOUND = Found(
    marked=True,
    log=True,
    sizes={"/var/lib/venom": 40_000, "/var/lib/ollama": 253_000_000},
    drop_ins=("/etc/systemd/system/ollama.service.d/venom.conf",),
    installed=("git", "zstd"),
)
NOT_OURS = {"/usr/local", "/usr/local/share/ca-certificates", "/etc/systemd/system", "/opt", "/var/lib"}


def observed(changes: dict[str, dict[str, str]]) -> Observed:
    """A host that has everything that is declared, each file with our mark, but for `changes`."""
    resources = declared_of(possible_components(declared()))
    there = {path: {"ours": "yes"} for it in resources if (path := getattr(it, "path", ""))}
    users = [it for it in resources if isinstance(it, User)]
    return Observed(
        paths={**there, **changes},
        users={it.name: Account(990, 990, it.home, "/usr/sbin/nologin") for it in users},
        groups={it.name: Group(990, frozenset()) for it in users},
        packages=frozenset({"git", "curl"}),
    )


def decided(
    found: Found = FOUND, *, purge: bool = False, changes: dict[str, dict[str, str]] | None = None
) -> Removal:
    return decide(declared_of(possible_components(declared())), observed(changes or {}), found, purge=purge)


def test_what_is_declared_goes_but_for_shared_folders_and_data() -> None:
    it = decided()
    assert set(it.trees) == {
        "/opt/venom",
        "/opt/ollama",
        "/etc/venom",
        "/var/cache/venom",
        "/var/cache/venom-backup",
        "/var/cache/venom-build",
        "/var/cache/private/venom-vllm",
        "/var/log/venom-provisioner",
        "/run/venom-metrics",
        "/var/lib/venom-pull",
        "/var/lib/private/venom-receipts",
    }
    assert it.units == (
        *("venom-firewall.service", "vllm.service", "venom-ui.service", "venom-backend.service"),
        *("ollama.service", "venom-metrics.service", "venom-metrics.timer"),
        *("venom-pull.service", "venom-pull.timer", "venom-backup.service", "venom-backup.timer"),
        *("venom-card.service", "venom-card.timer", "venom-peer.service", "venom-store.service"),
        "venom.target",
    )
    assert "/usr/local/share/ca-certificates/venom-operator.crt" in it.files
    units = ("ollama", "venom-backend", "venom-ui")
    assert set(it.folders) == {f"/etc/systemd/system/{it}.service.d" for it in units}
    assert (it.users, it.data_users) == (("venom-build",), ("ollama", "venom", "venom-store"))
    assert not NOT_OURS & {*it.trees, *it.folders, *it.files}


def test_every_declared_folder_goes_as_ours_or_stays_as_data_or_is_shared_on_purpose() -> None:
    shared = {
        it.path
        for it in declared_of(possible_components(declared()))
        if isinstance(it, Directory) and not it.ours and not it.keeps
        if not it.path.startswith(("/opt/venom/", "/etc/venom/", "/var/lib/venom/", "/var/lib/ollama/"))
        if not it.path.startswith("/var/cache/venom-build/")
    }
    assert shared == {"/etc/systemd/system/ollama.service.d"}


def test_without_our_mark_nothing_goes() -> None:
    it = decided(replace(FOUND, marked=False, log=False), purge=True)
    assert not it.needed
    assert (it.goes(), it.stays(), it.headline()) == ([], [], "not provisioned")


def test_what_an_earlier_removal_kept_goes_with_purge_and_nothing_beside_it() -> None:
    it = decided(replace(FOUND, marked=False), purge=True)
    assert it.needed
    assert (it.trees, it.files, it.units, it.users) == ((), (), (), ())
    assert [data.path for data in it.data] == ["/var/lib/ollama", "/var/lib/venom"]
    assert it.data_users == ("ollama", "venom", "venom-store")
    assert not decided(replace(FOUND, marked=False)).needed


def test_a_unit_and_drop_ins_of_somebody_else_stay_and_are_named() -> None:
    unit, mine = "/etc/systemd/system/venom-ui.service", "/etc/systemd/system/ollama.service.d/mine.conf"
    it = decided(replace(FOUND, drop_ins=(*FOUND.drop_ins, mine)), changes={unit: {"kind": "file"}})
    assert it.left == (unit, mine)
    assert unit not in it.files
    assert "venom-ui.service" not in it.units


def test_a_user_of_the_same_name_with_another_home_is_somebody_elses() -> None:
    host = observed({})
    ours = host.users["venom-build"]
    for theirs in (replace(ours, home="/home/venom-build"), replace(ours, uid=1000)):
        host = replace(host, users={**host.users, "venom-build": theirs})
        assert decide(declared_of(possible_components(declared())), host, FOUND, purge=True).users == ()


def test_what_a_link_of_the_operators_leads_to_is_emptied_and_both_stay(tmp_path: Path) -> None:
    disk, link, plain = tmp_path / "disk", tmp_path / "ollama", tmp_path / "venom"
    for folder in (disk / "models", disk / "lost+found", plain / "data"):
        folder.mkdir(parents=True)
    os.chown(disk, 65534, 65534)
    disk.chmod(0o700)
    link.symlink_to(disk)
    (tmp_path / "nowhere").symlink_to("/nowhere")
    trees = [str(it) for it in (link, plain, tmp_path / "nowhere", tmp_path / "none")]
    subprocess.run(["sh", str(SCRIPTS / "clear.sh"), *trees], check=True)
    assert link.is_symlink()
    assert [it.name for it in disk.iterdir()] == ["lost+found"]
    # No user of ours is left whose it could be.
    assert (disk.stat().st_uid, disk.stat().st_mode & 0o777) == (0, 0o755)
    assert not plain.exists()


def test_packages_are_reported_as_they_were_recorded() -> None:
    assert decided().stays()[-1].endswith("unless you need them: apt-get remove git")
    assert decided(replace(FOUND, installed=())).stays()[-1].endswith("installed by it: curl git")


def test_the_data_of_a_developer_are_known_although_the_release_serves_again() -> None:
    left = "/var/lib/venom-development"
    found = replace(FOUND, sizes={**FOUND.sizes, left: 1_000})
    assert left in [it.path for it in decided(found).data]
    assert left not in {*decided(found).trees, *decided(found).folders}
    assert "root" not in decided(found, purge=True).leaving
