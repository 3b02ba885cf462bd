"""What of the lab needs no host: the inventory made from the environment, reading pyinfra's output."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import addresses, fleet, network, preconditions
from lab.state import USUAL, LabError
from tests.lab import sessions
from tests.lab.provisioning import Result

_OUTPUT = """\
--> Starting operation: Put a thing
    [t1] No changes
    [t2] a line that the operation logs
    [t2] Success

--> Starting operation: UI | build
    [t1] Success
    [t2] no
    [t2] Error: executed 0 commands

--> Results:
    Operation     Hosts   Success   Error   No Change
    Put a thing   2       1         -       1
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository."""
    subprocess.run(["git", "init", "--quiet", tmp_path / "venom"], check=True)
    return tmp_path / "venom"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written lands in the test's own folder."""
    monkeypatch.setattr(fleet, "STATE", tmp_path)


def _made(**environment: str) -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load(fleet.inventory(environment).with_suffix(".yaml").read_text())
    return made


def test_without_wishes_the_repositorys_own_inventory_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "STATE", USUAL)
    assert fleet.inventory({"VENOM_SOURCE": "", "HOME": "/root"}) == fleet.INVENTORY


def test_a_local_repository_is_taken_by_its_absolute_path(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository.parent)
    made = _made(VENOM_SOURCE="venom", VENOM_RELEASE="v1.6.0")
    assert made["defaults"]["venom"] == {"release": "v1.6.0", "repository": str(repository)}
    assert _made(VENOM_SOURCE="venom")["defaults"]["venom"]["release"] == "v1.9.0"


def test_where_the_state_lies_elsewhere_so_do_pins_and_keys(tmp_path: Path) -> None:
    made = _made()
    assert made["pins"] == [f"{tmp_path}/pins.yaml", f"{tmp_path}/images.yaml"]
    assert made["defaults"]["ssh"]["key"] == f"{tmp_path}/ssh/id_ed25519"
    assert str(USUAL) not in yaml.safe_dump(made)


def test_a_url_is_taken_as_it_is() -> None:
    made = _made(VENOM_SOURCE="https://git.example.org/venom.git")
    assert made["defaults"]["venom"]["git"] == "https://git.example.org/venom.git"


def test_a_wish_holds_for_every_host_and_leaves_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "defaults": {"model": "gemma3:270m", "venom": {"tree": "sources/venom"}},
        "groups": {"quiet": {"profile": "light"}},
        "hosts": {"a": {"address": "10.0.0.1", "profile": "full"}, "b": {"ca_bundle": "sources/ca.pem"}},
    }
    inventory = tmp_path / "given" / "lab.py"
    (inventory.parent / "sources/venom").mkdir(parents=True)
    inventory.touch()
    inventory.with_suffix(".yaml").write_text(yaml.safe_dump(given))
    monkeypatch.setattr(fleet, "INVENTORY", inventory)
    assert _made(VENOM_PROFILE="llm_off") == {
        "defaults": {
            "model": "gemma3:270m",
            "venom": {"tree": str(inventory.parent / "sources/venom")},
            "profile": "llm_off",
        },
        "groups": {"quiet": {}},
        # What leads nowhere stays as it is: the inventory's own check reports it better.
        "hosts": {"a": {"address": "10.0.0.1"}, "b": {"ca_bundle": "sources/ca.pem"}},
    }


@pytest.mark.parametrize("source", ["nowhere", "/nowhere/venom.git"])
def test_a_source_that_is_no_repository_is_refused(source: str) -> None:
    with pytest.raises(LabError, match=f"VENOM_SOURCE={source}: no such repository"):
        fleet.inventory({"VENOM_SOURCE": source})


def test_a_folder_without_git_is_refused_in_gits_words(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="not a git repository"):
        fleet.inventory({"VENOM_SOURCE": str(tmp_path)})


def test_a_result_says_which_operations_changed_and_which_failed() -> None:
    result = Result(1, _OUTPUT, 3.0)
    assert result.changed_operations == [("t2", "Put a thing"), ("t1", "UI | build")]
    assert result.failed_operations == [("t2", "UI | build")]
    with pytest.raises(AssertionError, match=r"status 1:\n(.*\n)*.*Put a thing   2"):
        result.check()


def test_what_is_missing_is_reported_with_the_way_round_it() -> None:
    message = preconditions.message(["nft: apt-get install nftables"])
    assert "  - nft: apt-get install nftables\n" in message
    assert ".venv/bin/pyinfra -y inventories/my.py deploy/venom.py" in message


def test_what_a_session_needs_once_is_made_by_who_asks_first(tmp_path: Path) -> None:
    def make() -> dict[str, Any]:
        made.append("made")
        return {"number": len(made)}

    made: list[str] = []
    assert [sessions.once(tmp_path, "hosts", make) for _ in range(2)] == [{"number": 1}] * 2
    assert sessions.once(tmp_path, "others", make) == {"number": 2}


def test_what_could_not_be_made_is_tried_again(tmp_path: Path) -> None:
    def fail() -> dict[str, Any]:
        raise LabError("no host")

    with pytest.raises(LabError, match="no host"):
        sessions.once(tmp_path, "hosts", fail)
    assert sessions.once(tmp_path, "hosts", dict) == {}


def test_a_numbered_host_has_the_address_of_its_number_and_others_the_next_free_one() -> None:
    ninth, first, second = (str(network.SUBNET[number]) for number in (19, 110, 111))
    assert addresses.free("lab9", [first]) == ninth
    assert [addresses.free("box", []), addresses.free("box", [first])] == [first, second]
    assert addresses.free("box", [], wanted=second) == second


@pytest.mark.parametrize("wanted", ["192.0.2.1", "no address", network.GATEWAY])
def test_an_address_that_is_not_the_labs_to_give_is_refused(wanted: str) -> None:
    with pytest.raises(LabError, match="is not a free address of the lab"):
        addresses.free("box", [], wanted=wanted)


def test_no_two_hosts_have_one_address() -> None:
    taken = str(network.SUBNET[19])
    with pytest.raises(LabError, match=f"taken: {taken}"):
        addresses.free("lab9", [taken])
