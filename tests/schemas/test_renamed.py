"""Who writes the old name of a setting reads the new one, and since when it holds."""

from __future__ import annotations

import pytest
from packaging.version import Version

from schemas.declared.remedies import InventoryRemedies
from schemas.declared.renamed import Renamed, renamed
from schemas.inventory import load
from schemas.reading.validate import checker_of, schema
from tests.schemas.conftest import Load, Refuse, Write

# No setting was renamed yet: these are the test's.
ENTRIES = {
    "web_door": Renamed("door", "0.2.0"),
    "door.web_port": Renamed("door.port", "0.2.0"),
    "generations": Renamed("keep_generations", "0.3.0"),
}


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schemas.declared.habits.renamed", lambda: ENTRIES)


@pytest.mark.usefixtures("entries")
@pytest.mark.parametrize(
    ("section", "remedy", "written"),
    [
        ("generations: 5", "renamed to keep_generations in 0.3.0: write ", "keep_generations: 5"),
        ("door: {web_port: 8080}", "renamed to door.port in 0.2.0: write ", "door: {port: 8080}"),
        (
            "web_door: {exposure: lan, allow_from: [192.0.2.0/24]}",
            "renamed to door in 0.2.0: write ",
            "door: {exposure: lan, allow_from: [192.0.2.0/24]}",
        ),
    ],
)
@pytest.mark.parametrize("place", ["defaults: {%s}\nhosts: {box: {}}\n", "hosts: {box: {%s}}\n"])
def test_the_old_name_gets_the_new_one_which_is_accepted_as_it_is_written_there(
    place: str, section: str, remedy: str, written: str, refused: Refuse, loaded: Load
) -> None:
    (problem,) = refused(place % section)
    assert problem.hint == remedy + written
    assert loaded(place % written).hosts


@pytest.mark.usefixtures("entries")
def test_a_value_that_the_new_name_cannot_have_is_not_advised(refused: Refuse) -> None:
    (problem,) = refused("hosts: {box: {generations: many}}\n")
    assert problem.hint == "renamed to keep_generations in 0.3.0: the setting for that is keep_generations"


def test_every_entry_leads_from_a_setting_that_is_gone_to_one_that_there_is(write: Write) -> None:
    host = load(write("hosts: {box: {}}\n")).hosts[0]
    remedies = InventoryRemedies(host.settings.document, checker_of(schema("inventory")))
    for old, now in renamed().items():
        assert remedies.knows(now.to), old
        assert not remedies.knows(old), old
        assert Version(now.since) > Version("0.1.0")
    # Else the above would say nothing of an empty table.
    assert remedies.knows("door.port")
    assert not remedies.knows("door.web_port")
