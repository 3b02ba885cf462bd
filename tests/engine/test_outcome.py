"""The summary at the end of a run: what was changed on a host, in a few calm lines."""

from __future__ import annotations

from engine.endings import WIDTH, Ending, changes, folded


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


def ending(host: str, text: str = "serves Venom v1.9.0", color: str = "green", **done: list[str]) -> Ending:
    return Ending(host, color, f"{text}\nopen http://{host}\n17 s after the start", done)


def test_hosts_that_ended_alike_are_one_block_without_what_only_one_can_say() -> None:
    hosts = [ending(f"gpu{at}", made=[f"UI build ({at} min, 3 MB downloaded)"]) for at in range(1, 5)]
    assert folded(hosts) == [
        (["gpu1", "gpu2", "gpu3", "gpu4"], "serves Venom v1.9.0\nmade      UI build", "green")
    ]


def test_two_that_ended_alike_are_reported_each_with_its_address_and_times() -> None:
    hosts = [ending("gpu1", started=["Backend"]), ending("gpu2", started=["Backend"])]
    assert folded(hosts) == [([it.host], f"{it.text}\nstarted   Backend", "green") for it in hosts]


def test_what_differs_is_not_folded_and_what_failed_stays_first() -> None:
    failed = Ending("gpu9", "red", "failed at: Switch | canary\nBackend does not serve")
    held = [Ending(f"gpu{at}", "yellow", "not switched: gpu9, the canary, failed") for at in range(3)]
    other = ending("front", "serves Venom v1.8.0")
    blocks = folded([failed, *held, other, *(ending(f"box{at}") for at in range(3))])
    assert [names for names, _, _ in blocks] == [
        ["gpu9"],
        ["gpu0", "gpu1", "gpu2"],
        ["front"],
        ["box0", "box1", "box2"],
    ]


def test_a_run_over_32_hosts_is_read_at_a_glance() -> None:
    hosts = [ending(f"gpu{at}", "nothing changed: serves Venom v1.9.0") for at in range(32)]
    assert len(folded(hosts)) == 1
