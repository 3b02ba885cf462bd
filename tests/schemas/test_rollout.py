"""A rollout in an inventory: its defaults, its waves, and what it is refused for."""

from __future__ import annotations

import pytest

from schemas.declared.rollout import Rollout
from schemas.inventory import load
from schemas.plan.rollout import describe_rollout, waves
from tests.schemas.conftest import Load, Refuse, Write

FLEET = "hosts:\n" + "".join(f"  gpu{at}: {{address: 192.0.2.{at}}}\n" for at in range(1, 9))


def of(loaded: Load, text: str) -> Rollout:
    """The rollout of eight hosts."""
    inventory = loaded(f"rollout: {text}\n{FLEET}")
    assert inventory.rollout
    assert {it.rollout for it in inventory.hosts} == {inventory.rollout}
    return inventory.rollout


def shape(rollout: Rollout, hosts: int) -> list[tuple[str, int]]:
    """The waves of a run by name and size."""
    return [(it.name, len(it.hosts)) for it in waves(rollout, [f"gpu{at}" for at in range(1, hosts + 1)])]


def test_an_inventory_without_one_has_none(loaded: Load) -> None:
    inventory = loaded(FLEET)
    assert inventory.rollout is None
    assert {it.rollout for it in inventory.hosts} == {None}


def test_the_defaults_are_a_canary_quarters_a_minute_and_no_failure(loaded: Load) -> None:
    rollout = of(loaded, "{}")
    assert rollout == Rollout((), 25, share=True, pause=60, max_failures=0)
    assert shape(rollout, 8) == [
        ("canary", 1),
        *((f"wave {at} of 4", 2) for at in (1, 2, 3)),
        ("wave 4 of 4", 1),
    ]


@pytest.mark.parametrize(
    ("text", "hosts", "sizes"),
    [
        ("{wave: 3}", 8, [1, 3, 3, 1]),
        ("{wave: 100%}", 8, [1, 7]),
        ("{wave: 1%}", 3, [1, 1, 1]),
        ("{canary: [gpu2, gpu1], wave: 50%}", 8, [2, 4, 2]),
        ("{canary: gpu8, wave: 1}", 2, [1, 1]),
        ("{}", 1, [1]),
    ],
)
def test_a_wave_is_a_number_of_hosts_or_a_share_of_the_runs(
    loaded: Load, text: str, hosts: int, sizes: list[int]
) -> None:
    assert [size for _, size in shape(of(loaded, text), hosts)] == sizes


def test_a_run_that_leaves_out_the_canary_has_none(loaded: Load) -> None:
    rollout = of(loaded, "{canary: gpu1}")
    assert [it.name for it in waves(rollout, ["gpu2", "gpu3"])] == ["wave 1 of 2", "wave 2 of 2"]


@pytest.mark.parametrize(
    ("text", "path", "found", "allowed", "hint"),
    [
        ("{canary: gup1}", "canary", '"gup1"', "gpu1, gpu2", 'did you mean "gpu1"?'),
        ("{canary: [gpu1, gpu1]}", "canary[1]", '"gpu1" twice', "each host once", "remove one of the two"),
        ("{canary: []}", "canary", "an empty list", "a host of this inventory, or a list of them", ""),
        ("{wave: 0%}", "wave", '"0%"', "a number of hosts from 1, or a share from 1% to 100%", ""),
        ("{wave: 0}", "wave", "0 (a number)", "a number of hosts from 1, or a share from 1% to 100%", ""),
        ("{wave: 101%}", "wave", '"101%"', "a number of hosts from 1, or a share from 1% to 100%", ""),
        ("{wave: 2.5}", "wave", "2.5", "a number of hosts from 1, or a share from 1% to 100%", ""),
        ("{pause: -1}", "pause", "-1", "0 to 3600", ""),
        ("{max_failures: -1}", "max_failures", "-1", "0 to 10000", ""),
        ("{max_failures: some}", "max_failures", '"some"', "a whole number", ""),
        (
            "{waves: 3}",
            "waves",
            'the key "waves"',
            "canary, wave, pause, max_failures",
            'did you mean "wave"?',
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_one_message(
    refused: Refuse, text: str, path: str, found: str, allowed: str, hint: str
) -> None:
    (problem,) = refused(f"rollout: {text}\n{FLEET}")
    assert problem.path == f"rollout.{path}"
    assert problem.found.startswith(found)
    assert problem.allowed.startswith(allowed)
    assert problem.hint == hint


def test_it_is_of_a_fleet_and_of_no_host(refused: Refuse) -> None:
    (problem,) = refused("defaults:\n  rollout: {}\n" + FLEET)
    assert problem.hint == "rollout belongs at the top of the file"


def test_the_plan_shows_the_waves(write: Write) -> None:
    inventory = load(write(f"rollout: {{canary: gpu8, wave: 50%, max_failures: 2}}\n{FLEET}"), {})
    assert inventory.rollout
    assert describe_rollout(inventory.rollout, [it.name for it in inventory.hosts]).splitlines() == [
        "rollout",
        "  canary       gpu8",
        "  wave 1 of 2  gpu1, gpu2, gpu3, gpu4",
        "  wave 2 of 2  gpu5, gpu6, gpu7",
        "  watched      each for 60 s",
        "  stops        after a failure of the canary, or 3 others",
    ]
