"""Whatever lists operating systems lists those of schemas/data/systems.yaml."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fleet.packing import BUILD_HOST
from lab.base import SUITES
from roles.backend.lock import FOLDER
from roles.preflight.containers import OLDEST_PODMAN
from roles.preflight.facts import QUADLETS_SINCE
from schemas.data.pins import load as load_pins
from schemas.data.systems import System, architectures, systems
from schemas.data.version import at_least, in_range
from schemas.reading.document import read
from schemas.reading.validate import schema

ROOT = Path(__file__).parents[2]
# "Debian 12 and 13", "Debiana 12 lub 13", "Debian 12 i 13, amd64", "Ubuntu 22.04".
_LISTED = re.compile(r"\b(Debian|Ubuntu)\w* (\d+(?:\.\d+)?)(?:,? (?:and|or|i|lub) (\d+(?:\.\d+)?))?")

in_both_languages = pytest.mark.parametrize("end", [".md", ".pl.md"])


def systems_in(text: str) -> set[str]:
    """The systems that a text names, by their names."""
    found = _LISTED.findall(text)
    return {f"{kind} {version}" for kind, *versions in found for version in versions if version}


def lines(path: str, containing: str) -> str:
    """The lines of a document that contain a text."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return "\n".join(it for it in text.splitlines() if containing in it)


def names(chosen: list[System] | None = None) -> set[str]:
    return {it.name for it in (systems().values() if chosen is None else chosen)}


def test_a_name_is_the_id_as_people_write_it() -> None:
    assert {it.name.lower() for it in systems().values()} == set(systems())


@in_both_languages
def test_the_readme_asks_for_one_of_them_and_says_how_far_each_was_tested(end: str) -> None:
    assert systems_in(lines(f"README{end}", "systemd, amd64")) == names()
    tested = [it for it in lines(f"README{end}", "| ").splitlines() if re.match(r"\| (Debian|Ubuntu)", it)]
    assert systems_in("\n".join(it.split("|")[1] for it in tested)) == names()


@in_both_languages
def test_the_list_of_refusals_has_them_in_the_words_of_the_preflight(end: str) -> None:
    required = f"| one of {', '.join(it.name for it in systems().values())} |"
    assert lines(f"docs/refusals{end}", required)
    assert lines(f"docs/refusals{end}", f"| architecture {' or '.join(architectures())} |")


@in_both_languages
def test_the_table_of_containers_says_which_system_has_which_podman(end: str) -> None:
    table = lines(f"docs/images{end}", "| podman ")
    every = systems().values()
    old = [it for it in every if not at_least(it.podman, OLDEST_PODMAN)]
    plain = [it for it in every if it not in old and not at_least(it.podman, QUADLETS_SINCE)]
    (row,) = (it for it in table.splitlines() if f"podman {OLDEST_PODMAN} (" in it)
    assert systems_in(row) == names(plain)
    (row,) = (it for it in table.splitlines() if names(old) & systems_in(it))
    assert systems_in(row) == names(old)


def test_the_lab_boots_supported_systems() -> None:
    assert {f"debian {it}" for it in SUITES} == {it for it in systems() if it.startswith("debian")}


def test_images_are_made_on_a_supported_system() -> None:
    assert BUILD_HOST in systems()


def test_every_architecture_is_one_of_an_inventory_and_has_its_artifacts() -> None:
    assert schema("inventory")["$defs"]["arch"]["enum"] == list(architectures())
    for versions in read(ROOT / "schemas/data/pins.yaml").data["artifacts"].values():
        for files in versions.values():
            assert set(files) == set(architectures())


def test_a_lock_is_of_the_pinned_python_or_of_a_systems_own_that_the_release_runs_on() -> None:
    pins, _ = load_pins()
    assert pins is not None
    for release in pins.releases.values():
        own = {it.python for it in systems().values() if in_range(it.python, release.python)}
        pinned = release.python_use.rpartition(".")[0]
        committed = {re.findall(r"-py([0-9.]+)-", it.name)[0] for it in (FOLDER / release.name).glob("*.txt")}
        assert committed == own | {pinned}
