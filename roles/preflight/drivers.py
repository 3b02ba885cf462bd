"""Whether the host's cards have a driver with which what is planned uses them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from engine.component import Component, Driver
from engine.refusal import Finding
from roles.preflight.facts import Facts
from schemas.data.systems import System, systems
from schemas.hardware import Gpu
from schemas.plan.driver import Oldest, Suitable, is_older, is_version, oldest, suitable


def findings(known_by: Mapping[str, str], listed: Sequence[Component], facts: Facts) -> list[Finding]:
    """The cards that a component would drop for certain.

    `known_by`: range of compute capabilities → range of the drivers that know such a card.
    """
    found = []
    for driver, gpu, needs in _cards(listed, facts):
        if is_older(gpu.driver, needs.certain):
            wanted = suitable(needs.certain, known_by, gpu.compute_capability)
            found.append(
                Finding(
                    f"NVIDIA driver {needs.certain} or later for {driver.what}{_of_card(driver, gpu, needs)}",
                    f"{gpu.driver} ({gpu.name})",
                    _remedy(driver, gpu, wanted, systems().get(facts.system)),
                )
            )
    return list(dict.fromkeys(found))


def remarks(listed: Sequence[Component], facts: Facts) -> list[str]:
    """The cards of which nobody can say whether a component drops them: what is not known is not guessed."""
    found = []
    for driver, gpu, needs in _cards(listed, facts):
        if needs.certain and not is_version(gpu.driver):
            why = f"nvidia-smi reports {gpu.driver} as its driver, and {needs.certain} or later is needed"
        elif not is_older(gpu.driver, needs.certain) and is_older(gpu.driver, needs.enough):
            lower = _cards_of(driver, needs.enough)
            why = (
                f"nvidia-smi does not report its compute capability; where that is {lower}, "
                f"{needs.enough} or later is needed, and its driver is {gpu.driver}"
            )
        else:
            continue
        found.append(f"it is not known whether {driver.what} uses {gpu.name}: {why}")
    return list(dict.fromkeys(found))


def _cards(listed: Sequence[Component], facts: Facts) -> Iterator[tuple[Driver, Gpu, Oldest]]:
    for driver in (it.driver for it in listed if it.driver):
        for gpu in facts.hardware.gpus:
            if gpu.vendor == "nvidia":
                yield driver, gpu, oldest(driver.oldest, gpu.compute_capability)


def _of_card(driver: Driver, gpu: Gpu, needs: Oldest) -> str:
    """Why it is this driver, where that depends on the card."""
    if needs.certain != needs.enough:
        return f" ({needs.enough} where the compute capability is {_cards_of(driver, needs.enough)})"
    return f" on compute capability {gpu.compute_capability}" if len(driver.oldest) > 1 else ""


def _cards_of(driver: Driver, oldest_driver: str) -> str:
    return " or ".join(of for of, it in driver.oldest.items() if it == oldest_driver)


def _remedy(driver: Driver, gpu: Gpu, wanted: Suitable, system: System | None) -> str:
    # Another version must do for certain.
    instead = next(
        (
            text
            for text, needed in driver.instead.items()
            if not is_older(gpu.driver, oldest(needed, gpu.compute_capability).enough)
        ),
        "",
    )
    other = f", or write `{instead}` in the inventory, which runs with driver {gpu.driver}" if instead else ""
    if not wanted.exist:
        without = "remove the driver, and the host's processors compute in place of the card"
        return f"no driver that is new enough knows this card: {without}{other}"
    return f"install a newer driver, {wanted}{_carried(wanted, system)}{other}"


def _carried(wanted: Suitable, system: System | None) -> str:
    """Which system's packages have such a driver: this one's, or else a later one's."""
    if system is None or not system.nvidia:
        return ""
    if wanted.holds(system.nvidia):
        return f" ({system.name} has {system.nvidia})"
    others = [f"{it.name} has {it.nvidia}" for it in systems().values() if wanted.holds(it.nvidia)]
    elsewhere = " and ".join(others) or "NVIDIA's own repository has newer ones"
    return f" ({system.name} has only {system.nvidia}; {elsewhere})"
