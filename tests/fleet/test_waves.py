"""pyinfra carries the waves out in their order, whatever hosts have to do before."""

from __future__ import annotations

from pathlib import Path

from tests.fleet.fake_hosts import run, steps

INVENTORY = """
from types import SimpleNamespace
from schemas.declared.rollout import Rollout

_rollout = Rollout(("box8",), 25, share=True, pause=0, max_failures=0)
hosts = [
    (f"@fake/box{at}", {"declared": SimpleNamespace(name=f"box{at}", rollout=_rollout), "fake_delay": 0.01})
    for at in range(1, 9)
]
"""
DEPLOY = """
import os
from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation
from pyinfra.context import host
from pyinfra.operations import server
from engine import outcome
from engine.operations import refusal_ends_this_host
from fleet.rollout import run_of

declared = host.data.declared
rollout = run_of(declared)

def switch(state, host, turn):
    if why := turn.enter():
        outcome.held_back(host.name, why)
        return False
    outcome.serves(host.name, f"serves\\nopen http://{turn.name}\\n17 s after the start")
    return turn.name != os.environ["BAD"]

@operation()
def switched(turn):
    if turn.now:
        yield FunctionCommand(switch, (turn,), {})

with refusal_ends_this_host():
    for part in range(int(declared.name[-1])):
        server.shell(name=f"Make part {part}", commands=["true"])
    for wave in host.loop(rollout.waves):
        switched(name=wave.title, turn=rollout.turn(wave, declared.name))
    server.shell(name="Unlock", commands=["true"])
"""


def output_of(folder: Path, bad: str) -> str:
    """What a run of eight hosts prints, of which one fails in its switch."""
    done = run(folder, INVENTORY, DEPLOY, BAD=bad)
    assert done.returncode == (1 if bad else 0), done.stdout
    return done.stdout


def test_all_parts_are_made_before_the_canary_switches_and_each_wave_after_the_one_before(
    tmp_path: Path,
) -> None:
    found = steps(output_of(tmp_path, bad=""))
    switches = [it for it in found if it[0].startswith("Switch")]
    assert switches[0] == ("Switch | canary", "box8"), "although it has the most to make"
    assert sorted(switches[1:3]) == [("Switch | wave 1 of 4", it) for it in ("box1", "box2")]
    assert sorted(switches[3:5]) == [("Switch | wave 2 of 4", it) for it in ("box3", "box4")]
    assert switches[7:] == [("Switch | wave 4 of 4", "box7")]
    assert all(name.startswith("Make") for name, _ in found[: found.index(switches[0])])


def test_after_a_failure_nobody_else_switches_and_the_end_says_who_has_what(tmp_path: Path) -> None:
    output = output_of(tmp_path, bad="box3")
    assert {host for name, host in steps(output) if name.startswith("Switch")} == {
        *("box8", "box1", "box2", "box4")
    }
    end = output.partition("--> In the end:\n")[2].splitlines()
    assert end[0] == "    [@fake/box3] failed at: Switch | wave 2 of 4"
    assert "    [@fake/box5, @fake/box6, @fake/box7] not switched: box3 failed" in end
    assert "    [@fake/box1, @fake/box2, @fake/box4, @fake/box8] serves" in end
    inventory = tmp_path / "inventory.py"
    assert end[-6:] == [
        "--> The rollout stopped: box3 failed",
        "    switched  box8, box1, box2, box4",
        "    failed    box3",
        "    not tried box5, box6, box7",
        "    go on     repair what failed and run again: the others follow, one wave after the other",
        "    go back   pyinfra --limit box8 --limit box1 --limit box2 --limit box4 "
        f"{inventory} deploy/rollback.py",
    ]
