"""Which of NVIDIA's drivers a card needs for an Ollama, which else drops the card and only warns. Pure.

Three things decide: the card's compute capability, the driver, the version of Ollama
(docs/facts.md#cards-and-drivers).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from schemas.data.pins import Pins
from schemas.data.version import in_range
from schemas.hardware import Drivers

_EVERY = ""  # the range of every card


@dataclass(frozen=True)
class Oldest:
    """The oldest driver with which a card is not dropped, e.g. "550"; empty where any will do.

    The two differ only where the card's compute capability is not known.
    """

    certain: str  # below it the card is dropped, whatever it is
    enough: str  # from it on it is not, whatever it is


@dataclass(frozen=True)
class Suitable:
    """The drivers that suit a card: from `since` on, and before `until` (empty: no end is known)."""

    since: str
    until: str

    @property
    def exist(self) -> bool:
        """Whether there can be one."""
        return not self.until or is_older(self.since, self.until)

    def holds(self, driver: str) -> bool:
        """Whether this driver, or branch of drivers, is one of them."""
        new_enough = is_version(driver) and not is_older(driver, self.since)
        return new_enough and (not self.until or is_older(driver, self.until))

    def __str__(self) -> str:
        return f"{self.since} or later{f', but before {self.until}' if self.until else ''}"


def drivers(pins: Pins, versions: Iterable[str]) -> Drivers:
    """What the pins ask of a driver, for these versions of Ollama."""
    return Drivers({it: _of_version(pins, it) for it in versions}, pins.known_by, pins.chips)


def capability(chips: Mapping[str, str], device: int) -> str:
    """The compute capability that a card has at the least, by its PCI device; empty where none is known."""
    first = max((it for it in chips if int(it, 16) <= device), key=lambda it: int(it, 16), default="")
    return chips.get(first, "")


def oldest(needed: Mapping[str, str], capability: str) -> Oldest:
    """What a card of this compute capability ("8.6"; no version: not known) needs.

    `needed`: range of compute capabilities → oldest driver.
    """
    if is_version(capability):
        highest = _newest(it for of, it in needed.items() if of == _EVERY or in_range(capability, of))
        return Oldest(highest, highest)
    by_card = sorted((it for of, it in needed.items() if of != _EVERY), key=Version)
    every = needed.get(_EVERY, "")
    return Oldest(_newest([every, *by_card[:1]]), _newest([every, *by_card]))


def suitable(since: str, known_by: Mapping[str, str], capability: str) -> Suitable:
    """The drivers from `since` on that know a card of this compute capability."""
    until = ""
    for of, requires in known_by.items():
        if not in_range(capability, of):
            continue
        for it in SpecifierSet(requires):
            if it.operator == ">=":
                since = _newest([since, it.version])
            elif it.operator == "<" and (not until or is_older(it.version, until)):
                until = it.version
    return Suitable(since, until)


def is_older(driver: str, than: str) -> bool:
    """Whether one driver is older than another; False where either is no version."""
    return is_version(driver) and is_version(than) and Version(driver) < Version(than)


def is_version(text: str) -> bool:
    """Whether nvidia-smi reported a version, and not why it has none ("[N/A]")."""
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _of_version(pins: Pins, version: str) -> dict[str, str]:
    needed: dict[str, str] = {}
    for of, by_card in pins.drivers.items():
        if in_range(version, of):
            for card, driver in by_card.items():
                needed[card] = _newest([needed.get(card, ""), driver])
    return needed


def _newest(versions: Iterable[str]) -> str:
    return max(filter(None, versions), key=Version, default="")
