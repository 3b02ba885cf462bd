"""Who builds the UI, who receives it, and whose is fetched for others: decided before anything runs."""

from __future__ import annotations

import pytest

from engine.jobs import Job
from roles.ui.shared import Build, UiWork

BUILD = Job(name="ui", title="UI build", key="k", makes="/opt/venom/uis/k", script="")
NODE = Job(name="node", title="Node", key="n", makes="/opt/venom/node/n", script="")


def _work(host: str, build: Build, *, alone: bool = False) -> UiWork:
    return UiWork(host, alone, build, BUILD, NODE)


@pytest.mark.parametrize(
    ("having", "needing", "stored", "receives", "gives"),
    [
        ("", "ab", False, "b", "a"),
        ("c", "ab", False, "ab", "c"),
        ("", "ab", True, "ab", ""),
        ("c", "ab", True, "ab", ""),
        ("c", "", False, "", ""),
        ("", "a", False, "", "a"),
    ],
    ids=["nobody has it", "one has it", "it is kept", "kept and had", "all have it", "others may come"],
)
def test_one_build_serves_all_that_need_it(
    having: str, needing: str, stored: bool, receives: str, gives: str
) -> None:
    build = Build(stored, set(having), set(needing))
    works = {name: _work(name, build) for name in (*having, *needing)}
    assert {name for name, it in works.items() if it.receives} == set(receives)
    assert {name for name, it in works.items() if it.gives} == set(gives)
    assert {name for name, it in works.items() if it.job is BUILD} == {*having, *needing} - set(receives)


def test_a_host_alone_in_its_inventory_keeps_its_ui_for_itself() -> None:
    assert not _work("a", Build(False, needing={"a"}), alone=True).gives


def test_a_host_alone_receives_what_is_kept() -> None:
    assert _work("a", Build(True, needing={"a"}), alone=True).receives
