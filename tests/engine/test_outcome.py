"""The summary at the end of a run: what was changed on a host, in a few calm lines."""

from __future__ import annotations

from engine.outcome import WIDTH, changes


def test_each_kind_of_change_is_a_line() -> None:
    assert changes({"made": ["UI build (98 s)"], "settings": [], "started": ["Backend", "UI"]}) == [
        "made      UI build (98 s)",
        "started   Backend, UI",
    ]


def test_of_many_the_first_are_named_and_the_rest_is_counted() -> None:
    keys = [f"KEY_{number}" for number in range(40)]
    assert changes({"settings": keys}) == ["settings  KEY_0, KEY_1, KEY_2, KEY_3, KEY_4, KEY_5, 34 more"]
    assert changes({"settings": keys[:7]})[0].endswith("KEY_6"), "a name takes no more room than a count"


def test_what_is_long_goes_on_below_itself() -> None:
    lines = changes({"files": [f"/etc/systemd/system/a-unit-{number}.service" for number in range(4)]})
    assert len(lines) > 1
    assert all(len(line) <= WIDTH for line in lines)
    assert all(line.startswith(" " * 10 + "/etc") for line in lines[1:])
