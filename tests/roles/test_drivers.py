"""A host is refused by card, driver and Ollama together, and is told what would do."""

from __future__ import annotations

import pytest

from roles.preflight import drivers
from roles.preflight.facts import Facts
from tests.roles.plans import INVENTORY, components_of, plan
from tests.roles.test_preflight import facts

NEW = INVENTORY.replace("0.24.0", "0.32.15")


def on(card: str, system: str = "debian 12") -> Facts:
    return facts(nvidia=card, os=system)


def refusals(card: str, system: str = "debian 12", inventory: str = NEW) -> list[str]:
    wanted = plan(inventory)
    found = drivers.findings(wanted.drivers.known_by, components_of(wanted), on(card, system))
    return [str(it) for it in found]


def remarks(card: str, inventory: str = NEW) -> list[str]:
    return drivers.remarks(components_of(plan(inventory)), on(card))


def test_debian_12s_own_driver_is_refused_for_a_new_ollama_and_the_way_out_is_named() -> None:
    assert refusals("NVIDIA GeForce RTX 3060, 12288, 535.309.01, 8.6, [N/A]") == [
        "required  NVIDIA driver 550 or later for Ollama 0.32.15 on compute capability 8.6\n"
        "found     535.309.01 (NVIDIA GeForce RTX 3060)\n"
        "do        install a newer driver, 550 or later (Debian 12 has only 535; Debian 13 has 550), or "
        'write `ollama: {version: "0.24.0"}` in the inventory, which runs with driver 535.309.01'
    ]
    assert refusals("NVIDIA GeForce RTX 3060, 12288, 535.309.01, 8.6, [N/A]", inventory=INVENTORY) == []


def test_debian_13s_own_driver_does_for_turing_and_not_for_pascal() -> None:
    assert refusals("Tesla T4, 15360, 550.163.01, 7.5, [N/A]", "debian 13") == []
    (refusal,) = refusals("Tesla P40, 23040, 550.163.01, 6.1, [N/A]", "debian 13")
    assert refusal == (
        "required  NVIDIA driver 570 or later for Ollama 0.32.15 on compute capability 6.1\n"
        "found     550.163.01 (Tesla P40)\n"
        "do        install a newer driver, 570 or later, but before 590 (Debian 13 has only 550; NVIDIA's "
        'own repository has newer ones), or write `ollama: {version: "0.24.0"}` in the inventory, which runs '
        "with driver 550.163.01"
    )
    assert refusals("Tesla P40, 23040, 580.65.06, 6.1, [N/A]", "debian 13") == []


def test_the_system_that_has_a_driver_that_would_do_is_named() -> None:
    (refusal,) = refusals("Tesla T4, 15360, 470.82.01, 7.5", "debian 13", INVENTORY)
    assert refusal.endswith("do        install a newer driver, 531 or later (Debian 13 has 550)")
    (refusal,) = refusals("Tesla T4, 15360, 470.82.01, 7.5", "ubuntu 24.04", INVENTORY)
    assert refusal.endswith("do        install a newer driver, 531 or later")


def test_a_driver_that_does_not_know_the_card_is_not_proposed() -> None:
    (refusal,) = refusals("NVIDIA GB10, [N/A], 470.82.01, 12.1", "debian 13")
    assert "do        install a newer driver, 570 or later (Debian 13 has only 550; NVIDIA's own" in refusal
    assert "ollama:" not in refusal, "no Ollama that is pinned runs with this driver"


def test_for_a_card_that_no_driver_would_do_for_the_processors_are_named() -> None:
    (refusal,) = refusals("Tesla K80, 11441, 470.82.01, 3.7")
    assert "no driver that is new enough knows this card: remove the driver, and the host's" in refusal


def test_of_several_cards_each_that_would_be_dropped_is_refused_once() -> None:
    two = "\nnvidia=".join(
        ["Tesla P40, 23040, 550.1, 6.1", "Tesla P40, 23040, 550.1, 6.1", "Tesla T4, 1, 550.1, 7.5"]
    )
    (refusal,) = refusals(two)
    assert "Tesla P40" in refusal


@pytest.mark.parametrize(
    ("driver", "refused", "remarked"), [("535.1", 1, 0), ("560.1", 0, 1), ("570.1", 0, 0)]
)
def test_a_card_of_unknown_compute_capability_is_refused_only_for_what_is_certain(
    driver: str, refused: int, remarked: int
) -> None:
    card = f"NVIDIA X, 12288, {driver}, [N/A], [N/A]"
    assert (len(refusals(card)), len(remarks(card))) == (refused, remarked)
    for text in refusals(card):
        assert (
            "NVIDIA driver 550 or later for Ollama 0.32.15 (570 where the compute capability is <7.0)" in text
        )
    for text in remarks(card):
        assert text == (
            "it is not known whether Ollama 0.32.15 uses NVIDIA X: nvidia-smi does not report its compute "
            "capability; where that is <7.0, 570 or later is needed, and its driver is 560.1"
        )


def test_a_driver_that_is_not_reported_is_a_remark() -> None:
    card = "NVIDIA X, 12288, [N/A], 8.6, [N/A]"
    assert refusals(card) == []
    assert remarks(card) == [
        "it is not known whether Ollama 0.32.15 uses NVIDIA X: nvidia-smi reports [N/A] as its driver, and "
        "550 or later is needed"
    ]


def test_a_profile_without_ollama_asks_nothing_of_a_driver() -> None:
    off = NEW.replace("profile: light", "profile: llm_off")
    assert refusals("Tesla K80, 11441, 470.82.01, 3.7", inventory=off) == []
    assert remarks("Tesla K80, 11441, [N/A], 3.7", inventory=off) == []
