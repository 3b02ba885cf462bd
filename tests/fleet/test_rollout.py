"""Hosts switch one wave after the other, and nobody any more after a failure."""

from __future__ import annotations

from collections.abc import Set

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.rollout import Run, gate_stops
from schemas.declared.rollout import Rollout
from schemas.plan.rollout import CANARY, waves

HOSTS = tuple(f"gpu{number}" for number in range(1, 9))
ROLLOUT = Rollout(canary=("gpu1",), wave=25, share=True, pause=60, max_failures=0)

rollouts = st.builds(
    Rollout,
    canary=st.lists(st.sampled_from(HOSTS), unique=True, max_size=3).map(tuple),
    wave=st.integers(1, 100),
    share=st.booleans(),
    pause=st.just(0),
    max_failures=st.integers(0, 3),
)
runs = st.lists(st.sampled_from(HOSTS), unique=True, min_size=1).map(lambda it: tuple(sorted(it)))
some = st.sets(st.sampled_from(HOSTS))


def carried_out(
    run: Run, bad: Set[str], lost: Set[str] = frozenset(), idle: Set[str] = frozenset()
) -> set[str]:
    """Who failed in the end. `bad`: fail when they switch; `lost`: before; `idle`: need no switch."""
    failed = set(lost)
    for wave in run.waves:
        going = [it for it in wave.hosts if it not in failed | idle]
        # A wave's hosts go side by side: what becomes of one is known when all are through.
        stopped = run.stopped(failed)
        for name in going:
            (run.held if stopped else run.tried).append(name)
        failed |= set(going) if stopped else set(going) & bad
    return failed


@given(rollouts, runs)
def test_every_host_of_a_run_is_in_one_wave_and_none_is_larger_than_allowed(
    rollout: Rollout, hosts: tuple[str, ...]
) -> None:
    found = waves(rollout, hosts)
    assert sorted(name for it in found for name in it.hosts) == sorted(hosts)
    for it in found:
        assert it.hosts
        if it.name == CANARY:
            assert it == found[0]
        else:
            assert len(it.hosts) <= rollout.size(len(hosts))
            assert not rollout.canary or not set(it.hosts) & set(rollout.canary)


@given(rollouts, runs, some)
def test_a_bad_release_reaches_at_most_the_canary_or_the_first_wave(
    rollout: Rollout, hosts: tuple[str, ...], idle: set[str]
) -> None:
    run = Run.of(rollout, hosts)
    carried_out(run, bad=set(hosts), idle=idle)
    first = next((it for it in run.waves if set(it.hosts) - idle), None)
    if first and (first.name == CANARY or not rollout.max_failures):
        assert set(run.tried) == set(first.hosts) - idle
    most = rollout.max_failures + rollout.size(len(hosts))
    assert len(run.tried) <= max(most, len(first.hosts) if first else 0)


@given(rollouts, runs, some)
def test_a_good_release_reaches_every_host_that_needs_it(
    rollout: Rollout, hosts: tuple[str, ...], idle: set[str]
) -> None:
    run = Run.of(rollout, hosts)
    assert carried_out(run, bad=set(), idle=idle) == set()
    assert set(run.tried) == set(hosts) - idle
    assert run.ending([], "inventories/office.py") == []


@given(rollouts, runs, some, st.integers(0, 8))
def test_a_run_that_died_anywhere_is_gone_on_with_by_the_next(
    rollout: Rollout, hosts: tuple[str, ...], idle: set[str], died_after: int
) -> None:
    first = Run.of(rollout, hosts)
    carried_out(first, bad=set(), idle=idle)
    switched = set(first.tried[:died_after])
    second = Run.of(rollout, hosts)
    carried_out(second, bad=set(), idle=idle | switched)
    assert set(second.tried) == set(hosts) - idle - switched


@given(rollouts, runs, some, some)
def test_of_a_run_that_stopped_it_is_known_of_each_host_that_had_to_switch_what_became_of_it(
    rollout: Rollout, hosts: tuple[str, ...], bad: set[str], idle: set[str]
) -> None:
    run = Run.of(rollout, hosts)
    failed = carried_out(run, bad=bad & set(hosts), idle=idle)
    assert sorted([*run.tried, *run.held]) == sorted(set(hosts) - idle)
    if run.held:
        assert run.ending(sorted(failed), "office.py")[0].startswith("The rollout stopped: ")


def test_a_canary_that_did_not_even_come_to_its_switch_proves_nothing() -> None:
    run = Run.of(ROLLOUT, HOSTS)
    carried_out(run, bad=set(), lost={"gpu1"})
    assert run.tried == []
    assert run.stopped({"gpu1"}) == "gpu1, the canary, failed"


def test_another_host_that_failed_before_its_switch_stops_nobody() -> None:
    run = Run.of(ROLLOUT, HOSTS)
    assert carried_out(run, bad=set(), lost={"gpu5"}) == {"gpu5"}
    assert set(run.tried) == set(HOSTS) - {"gpu5"}


@pytest.mark.parametrize(
    ("tried", "failed", "max_failures", "why"),
    [
        (("gpu1", "gpu2"), (), 0, ""),
        (("gpu1", "gpu2"), ("gpu2",), 0, "gpu2 failed"),
        (("gpu1", "gpu2"), ("gpu2",), 1, ""),
        (("gpu1", "gpu2", "gpu3"), ("gpu2", "gpu3"), 1, "gpu2, gpu3 failed, and 1 may"),
        (("gpu1",), ("gpu1",), 5, "gpu1, the canary, failed"),
    ],
)
def test_the_gate_stops_beyond_the_failures_that_are_allowed_and_never_allows_the_canarys(
    tried: tuple[str, ...], failed: tuple[str, ...], max_failures: int, why: str
) -> None:
    rollout = Rollout(("gpu1",), 25, share=True, pause=0, max_failures=max_failures)
    assert gate_stops(rollout, ("gpu1",), tried, failed) == why


def test_who_has_what_and_how_to_go_on_or_back_is_the_end_of_a_run_that_stopped() -> None:
    run = Run.of(ROLLOUT, HOSTS)
    failed = carried_out(run, bad={"gpu3"})
    assert run.ending(sorted(failed), "inventories/office.py") == [
        "The rollout stopped: gpu3 failed",
        "    switched  gpu1, gpu2",
        "    failed    gpu3",
        "    not tried gpu4, gpu5, gpu6, gpu7, gpu8",
        "    go on     repair what failed and run again: the others follow, one wave after the other",
        "    go back   pyinfra --limit gpu1 --limit gpu2 inventories/office.py deploy/rollback.py",
    ]


def test_without_a_rollout_all_switch_at_once_whatever_fails() -> None:
    run = Run.of(None, HOSTS)
    assert [it.title for it in run.waves] == ["Switch"]
    carried_out(run, bad={"gpu1"})
    assert set(run.tried) == set(HOSTS)
    assert run.ending(["gpu1"], "office.py") == []
