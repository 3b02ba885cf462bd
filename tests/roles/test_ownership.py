"""What is on a host already and is not ours is refused, all at once; what equals what we make is ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine import paths
from engine.observation import Account, Group, Observed
from engine.resources import Absent, Directory, File, User
from fleet.assessment import declared_of, own_units, possible_components
from roles.preflight import ownership
from tests.roles.plans import INVENTORY, declared

UNIT = "/etc/systemd/system/ollama.service"
QUADLET = "/etc/containers/systemd/ollama.container"
MARKED = {paths.MARK: {"kind": "file", "ours": "yes"}}
FILE = {"kind": "file", "owner": "root", "mode": "0644"}
FOLDER = {"kind": "directory", "owner": "root", "mode": "0755"}


def found(observed: Observed, inventory: str = INVENTORY) -> list[str]:
    listed = [it.beside(observed) for it in possible_components(declared(inventory))]
    return [str(it) for it in ownership.findings(declared_of(listed), own_units(listed), observed)]


def test_a_bare_host_has_nothing_of_anybody() -> None:
    assert found(Observed()) == []


def test_a_unit_or_quadlet_that_somebody_else_wrote_is_not_taken_over() -> None:
    theirs = Observed(units={"ollama.service": {"FragmentPath": UNIT}}, paths={UNIT: FILE})
    (finding,) = found(theirs)
    assert f"found     {UNIT}" in finding
    assert f"systemctl disable --now ollama.service; rm -rf {UNIT} {UNIT}.d" in finding
    # Also one of a package, whose file nobody asked about.
    (finding,) = found(Observed(units={"ollama.service": {"FragmentPath": "/usr/lib/systemd/system/x"}}))
    assert found(replace(theirs, paths={UNIT: {**FILE, "ours": "yes"}})) == []
    (finding,) = found(Observed(paths={QUADLET: FILE}))
    assert f"rm {QUADLET}; systemctl daemon-reload" in finding
    assert found(Observed(paths={QUADLET: {**FILE, "ours": "yes"}})) == []


def test_a_unit_whose_name_nothing_of_ours_needs_is_left_alone() -> None:
    path = "/etc/systemd/system/vllm.service"
    theirs = Observed(units={"vllm.service": {"FragmentPath": path}}, paths={path: FILE})
    assert found(theirs) == []
    listed = {it.name: it for it in possible_components(declared())}
    vllm = listed["vllm"].beside(theirs)
    assert vllm.unit == "", "nothing stops it"
    assert path not in [it.path for it in vllm.resources if isinstance(it, Absent)], "nothing deletes it"
    # One of ours from an earlier profile has to go.
    ours = replace(theirs, paths={path: {**FILE, "ours": "yes"}})
    assert listed["vllm"].beside(ours) == listed["vllm"]
    timer = "/etc/systemd/system/venom-backup.timer"
    assert found(Observed(paths={timer: FILE})) == []


def test_what_is_wanted_keeps_its_unit_whoever_wrote_that() -> None:
    nginx = Observed(units={"nginx.service": {"FragmentPath": "/usr/lib/systemd/system/nginx.service"}})
    listed = possible_components(declared())
    assert [it.beside(nginx) for it in listed] == list(listed)


@pytest.mark.parametrize("unit", ["ollama.service", "vllm.service"])
def test_a_profile_without_a_local_model_has_nobodys(unit: str) -> None:
    path = f"{paths.UNITS}/{unit}"
    theirs = Observed(units={unit: {"FragmentPath": path}}, paths={path: FILE})
    (finding,) = found(theirs, "hosts: {box: {address: 192.0.2.10, profile: llm_off}}\n")
    assert f"no {unit} of somebody else's" in finding


@pytest.mark.parametrize("path", [paths.MARK, paths.SITE, f"{UNIT}.d/venom.conf", paths.OPERATOR_CA])
def test_a_file_that_the_provisioner_did_not_write_is_reported_and_stays(path: str) -> None:
    (finding,) = found(Observed(paths={path: FILE}))
    assert f"no {path} of somebody else's" in finding
    # Where others have files, too, even a host of ours may get one of theirs.
    on_ours = found(Observed(paths={path: FILE}, receipt={"generation": "g1"}))
    assert len(on_ours) == (0 if path == paths.OPERATOR_CA else 1)


def test_a_file_that_equals_what_we_would_write_is_ours() -> None:
    site = File("/etc/systemd/system/x.service", "text")
    observed = Observed(paths={site.path: {**FILE, "sha256": site.digest}})
    assert ownership.findings([site], [], observed) == []
    assert len(ownership.findings([replace(site, content="other")], [], observed)) == 1


def test_a_folder_with_something_in_it_is_somebody_elses_unless_an_earlier_run_is_recorded() -> None:
    observed = Observed(paths={paths.OPT: FOLDER}, holds={paths.OPT: ("app", "b", "c", "d")})
    (finding,) = found(observed)
    assert "no /opt/venom of somebody else's" in finding
    assert "a folder of root's with app, b, c, …, on a host without a trace of an earlier run" in finding
    assert found(replace(observed, holds={})) == []
    assert found(replace(observed, paths={paths.OPT: FOLDER, **MARKED})) == []
    assert found(replace(observed, receipt={"generation": "g1"})) == []


def test_what_an_earlier_removal_kept_is_ours_and_weights_of_others_are_not() -> None:
    after_removal = Observed(
        paths={paths.OLLAMA_STATE: {**FOLDER, "owner": "ollama"}}, holds={paths.OLLAMA_STATE: ("models",)}
    )
    assert found(after_removal) == []
    (finding,) = found(replace(after_removal, paths={paths.OLLAMA_STATE: FOLDER}))
    assert "no /var/lib/ollama of somebody else's" in finding


def test_a_run_of_a_former_version_that_was_cut_off_before_its_mark_is_no_hindrance() -> None:
    assert found(Observed(paths={paths.ETC: FOLDER}, holds={paths.ETC: ("nginx-before",)})) == []


def test_a_link_that_leads_nowhere_and_a_file_in_the_place_of_a_folder_are_reported() -> None:
    link = {**FOLDER, "kind": "link", "target": "/mnt/disk/ollama"}
    (finding,) = found(Observed(paths={paths.OLLAMA_STATE: link}))
    assert "a link to /mnt/disk/ollama, which is no folder" in finding
    mine = {**link, "kind": "directory", "loose": "/home/ada"}
    (finding,) = found(Observed(paths={paths.OLLAMA_STATE: mine}))
    assert "a link to /mnt/disk/ollama: users other than root can write in /home/ada" in finding
    (finding,) = found(Observed(paths={paths.OPT: FILE}))
    assert "required  a folder /opt/venom\nfound     a file" in finding


OURS: dict[str, Any] = {"uid": 990, "gid": 990, "home": paths.STATE, "shell": "/usr/sbin/nologin"}


@pytest.mark.parametrize(
    ("user", "members", "reason"),
    [
        ({}, set(), ""),
        ({"shell": "/bin/false"}, {"venom"}, ""),
        (
            {"uid": 1000, "gid": 1000, "home": "/home/venom", "shell": "/bin/bash"},
            set(),
            "uid 1000, gid 1000, shell /bin/bash, home /home/venom",
        ),
        ({"uid": 0, "gid": 0}, set(), "uid 0, gid 0"),
        ({"home": "/usr/share/venom"}, {"ada"}, "home /usr/share/venom, others in its group: ada"),
    ],
)
def test_a_user_is_ours_that_equals_what_we_would_make(
    user: dict[str, Any], members: set[str], reason: str
) -> None:
    account = Account(**{**OURS, **user})
    observed = Observed(users={"venom": account}, groups={"venom": Group(account.gid, frozenset(members))})
    assert User("venom", paths.STATE).foreign(observed) == reason
    assert [f"found     {reason}\n" in it for it in found(observed)] == ([True] if reason else [])


def test_on_a_host_of_ours_a_person_is_still_refused_and_what_was_changed_by_hand_is_mended() -> None:
    it = User("venom", paths.STATE)
    changed = Account(990, 990, "/srv", "/bin/bash")
    observed = Observed(
        paths=MARKED, users={"venom": changed}, groups={"venom": Group(990, frozenset({"ada"}))}
    )
    assert it.foreign(observed) == ""
    assert it.differs(observed) == "shell is /bin/bash"
    assert it.foreign(replace(observed, users={"venom": replace(changed, uid=1000)})) == "uid 1000"


def test_a_group_without_a_user_is_somebodys_unless_it_is_empty() -> None:
    it = User("venom", paths.STATE)
    assert it.foreign(Observed(groups={"venom": Group(990, frozenset())})) == ""
    assert it.foreign(Observed(groups={"venom": Group(1001, frozenset())})) == "gid 1001"
    assert (
        it.foreign(Observed(groups={"venom": Group(990, frozenset({"ada"}))})) == "others in its group: ada"
    )


def test_every_folder_of_ours_is_looked_into() -> None:
    # A folder that is deleted with everything in it must be known to be ours.
    folders = [
        it for it in declared_of(possible_components(declared())) if isinstance(it, Directory) and it.ours
    ]
    for it in folders:
        assert len(found(Observed(paths={it.path: FOLDER}, holds={it.path: ("theirs",)}))) == 1
