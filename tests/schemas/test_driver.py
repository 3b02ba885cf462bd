"""Card, driver and Ollama together: which driver a card needs, and which drivers there are for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.data.pins import load
from schemas.plan.driver import Oldest, drivers, is_older, oldest, suitable

PINS, _ = load()
assert PINS is not None
OF = drivers(PINS, ["0.24.0", "0.29.9", "0.30.0", "0.32.15"])
_capability = st.builds("{}.{}".format, st.integers(5, 13), st.integers(0, 9))


@pytest.mark.parametrize(
    ("version", "capability", "driver"),
    [
        ("0.24.0", "6.1", "531"),  # Tesla P40
        ("0.24.0", "8.6", "531"),  # RTX 3060
        ("0.29.9", "5.2", "531"),
        ("0.30.0", "6.1", "570"),
        ("0.32.15", "5.2", "570"),
        ("0.32.15", "6.9", "570"),
        ("0.32.15", "7.0", "550"),  # V100
        ("0.32.15", "7.5", "550"),  # T4
        ("0.32.15", "12.1", "550"),  # GB10: 12 is more than 7
    ],
)
def test_a_card_needs_the_driver_of_its_compute_capability(
    version: str, capability: str, driver: str
) -> None:
    assert oldest(OF.needed[version], capability) == Oldest(driver, driver)


@pytest.mark.parametrize("capability", ["", "[N/A]", "..", "eight"])
def test_what_a_card_of_unknown_compute_capability_needs_is_not_guessed(capability: str) -> None:
    assert oldest(OF.needed["0.32.15"], capability) == Oldest("550", "570")
    assert oldest(OF.needed["0.24.0"], capability) == Oldest("531", "531")


@given(st.sampled_from(sorted(OF.needed)), _capability)
def test_what_is_certain_of_an_unknown_card_holds_for_every_card(version: str, capability: str) -> None:
    unknown, known = oldest(OF.needed[version], ""), oldest(OF.needed[version], capability)
    assert known.certain == known.enough
    assert not is_older(known.certain, unknown.certain)
    assert not is_older(unknown.enough, known.enough)


@pytest.mark.parametrize(
    ("since", "capability", "words", "ones", "others"),
    [
        ("550", "8.6", "550 or later", ("550", "550.163.01", "620"), ("535.309.01", "[N/A]")),
        ("570", "6.1", "570 or later, but before 590", ("570.124.06", "580"), ("550", "590.1")),
        ("531", "12.1", "570 or later", ("580.126.09",), ("550.163.01",)),
        ("531", "", "531 or later", ("535",), ("470",)),
    ],
)
def test_the_drivers_that_suit_a_card_are_new_enough_and_know_it(
    since: str, capability: str, words: str, ones: tuple[str, ...], others: tuple[str, ...]
) -> None:
    found = suitable(since, OF.known_by, capability)
    assert (str(found), found.exist) == (words, True)
    assert all(map(found.holds, ones))
    assert not any(map(found.holds, others))


def test_for_a_card_that_no_new_driver_knows_there_is_none() -> None:
    kepler = suitable("531", OF.known_by, "3.7")
    assert not kepler.exist
    assert not kepler.holds("470.82.01")
    assert not kepler.holds("535")


def _loaded(tmp_path: Path, text: str) -> tuple[bool, list[str]]:
    path = tmp_path / "pins.yaml"
    path.write_text(text, encoding="utf-8")
    pins, problems = load([(path, "pins.yaml")])
    return pins is not None, [f"{it.path}: {it.found}: {it.allowed}" for it in problems]


def test_pins_of_ones_own_add_a_range_for_every_card_or_by_card(tmp_path: Path) -> None:
    path = tmp_path / "pins.yaml"
    path.write_text('drivers: {">=0.40": "590", ">=0.41": {"<8": "600"}}', encoding="utf-8")
    pins, problems = load([(path, "pins.yaml")])
    assert problems == []
    assert pins is not None
    needed = drivers(pins, ["0.40.0", "0.41.0"]).needed
    assert oldest(needed["0.40.0"], "8.6").certain == "590"
    assert oldest(needed["0.41.0"], "7.5").certain == "600"
    assert oldest(needed["0.41.0"], "") == Oldest("590", "600")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('drivers: {"new": "590"}', 'drivers.new: "new": a range'),
        ('drivers: {">=0.40": {"new": "590"}}', '>=0.40.new: "new": a range'),
        ('known_by: {">=13": "newest"}', '"newest": a range'),
        ('drivers: {">=0.40": latest}', "a driver such as"),
        ('drivers: {">=0.40": {">=7": 590}}', "a driver such as"),
        ('drivers: {">=0.40": {}}', "a driver such as"),
    ],
)
def test_what_is_no_range_and_no_driver_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    right, problems = _loaded(tmp_path, text)
    assert not right
    assert len(problems) == 1
    assert problem in problems[0]
