"""A fleet switches one wave after the other: a release that answers and dies reaches one host of eight."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.paths import AUDIT
from lab.hosts import Host
from tests.lab import provisioning, visitor
from tests.lab.conftest import Provision
from tests.lab.serving import Serving, llm_off, of
from tests.lab.visitor import BACKEND

_ROLLOUT = {"canary": "box1", "wave": "25%", "pause": 8}
_UNITS = ["venom-backend.service", "venom-ui.service"]
_CANARY, _FIRST, _SECOND = ["box1"], ["box2", "box3"], ["box4", "box5"]


@pytest.fixture(scope="module")
def fleet(serving: Serving) -> dict[str, Host]:
    """Eight hosts that serve in profile llm_off."""
    return {f"box{at}": host for at, host in enumerate(serving.copies(*["off"] * 8), 1)}


def _inventory(fleet: Mapping[str, Host], pause: int = 8, **settings: Any) -> dict[str, Any]:
    declared = of({name: (host, {**llm_off(), **settings}) for name, host in fleet.items()})
    return {**declared, "rollout": {**_ROLLOUT, "pause": pause}}


def _changed(tree: Path, file: str, before: str, after: str) -> str:
    """A Venom of one's own, changed in one place."""
    path = provisioning.own_venom(tree) / file
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    return str(tree)


def test_of_a_release_that_answers_and_dies_one_host_gets_to_know_and_the_others_serve_on(
    fleet: dict[str, Host], provision: Provision, tmp_path: Path
) -> None:
    warming = "    warming = asyncio.create_task(startup.warm_up())"
    dies = f'{warming}\n    asyncio.get_running_loop().call_later(4, __import__("os")._exit, 3)'
    tree = _changed(tmp_path / "venom", "venom_core/main.py", warming, dies)
    before = {name: visitor.processes(host, _UNITS) for name, host in fleet.items()}
    release = fleet["box1"].run("readlink /opt/venom/current").stdout
    result = provision(_inventory(fleet, venom={"tree": tree}))
    assert result.status == 1
    first = result.endings["box1"]
    assert first.startswith("failed at: Switch | canary\n")
    assert "Backend (venom-backend.service) does not serve: it answered, and ended by itself" in first
    assert "What served before serves again" in first
    others = [name for name in fleet if name != "box1"]
    for name in others:
        assert result.endings[name].startswith("not switched: box1, the canary, failed"), result.endings[name]
    # Seven hosts are one block, and what failed stands before it.
    summary = result.output.rpartition("--> In the end:\n")[2]
    assert summary.index("[box1]") < summary.index(f"[{', '.join(others)}]")
    assert summary.partition("\n--> ")[2].splitlines() == [
        "The rollout stopped: box1, the canary, failed",
        "    switched  nobody",
        "    failed    box1",
        f"    not tried {', '.join(others)}",
        "    go on     repair what failed and run again: the others follow, one wave after the other",
    ]
    assert {name: visitor.processes(fleet[name], _UNITS) for name in others} == {
        name: before[name] for name in others
    }
    assert fleet["box1"].run("readlink /opt/venom/current").stdout == release
    assert visitor.fetch(fleet["box1"], f"{BACKEND}/healthz").status == 200
    last = fleet["box8"].read(AUDIT).splitlines()[-1]
    assert "deploy/venom.py: not switched: box1, the canary, failed" in last


def test_a_run_that_died_between_waves_is_gone_on_with_by_the_next(
    fleet: dict[str, Host], provision: Provision, tmp_path: Path
) -> None:
    inventory = provisioning.inventory(tmp_path, _inventory(fleet, pause=2))
    with provisioning.running(inventory) as run:
        log = inventory.with_name("log")
        provisioning.until(lambda: "Starting operation: Switch | wave 2 of 4" in log.read_text())
        run.kill()
    early = [*_CANARY, *_FIRST]
    # What the host was at goes on without the run.
    provisioning.until(lambda: not any(_switching(fleet[name]) for name in (*early, *_SECOND)))
    applied = {name: visitor.receipt(host)["at"] for name, host in fleet.items()}
    result = provision(_inventory(fleet, pause=2)).check()
    for name in early:
        assert result.endings[name].startswith("nothing changed: ")
        assert visitor.receipt(fleet[name])["at"] == applied[name]
    switched = [(name, step) for name, step in result.changed_operations if step.startswith("Switch")]
    assert [step for _, step in switched] == sorted(step for _, step in switched)
    late = {"box6": 3, "box7": 3, "box8": 4}
    assert {(name, f"Switch | wave {wave} of 4") for name, wave in late.items()} <= set(switched)
    assert {name for name, _ in switched} <= {*late, *_SECOND}
    done = provision(_inventory(fleet, pause=2)).check()
    assert done.changed_operations == []
    assert len(set(done.endings.values())) == 1, "hosts that are alike are one block"


def _switching(host: Host) -> bool:
    return "inactive" not in host.run("systemctl is-active venom-job-activate", check=False).stdout


def test_a_release_whose_chats_fail_is_taken_back_where_there_is_a_model_server(
    serving: Serving, provision: Provision, tmp_path: Path
) -> None:
    answer = "        llm.assert_possible()"
    tree = _changed(
        tmp_path / "mute",
        "venom_core/tasks.py",
        answer,
        f'{answer}\n        raise ValueError("nobody taught me that")',
    )
    declared = serving.of_light(venom={"tree": tree}) | {"rollout": {"pause": 0}}
    result = provision(declared)
    assert result.status == 1
    assert "does not serve: a chat fails: The task failed: nobody taught me that" in result.endings["light"]
    assert "What served before serves again" in result.endings["light"]
    other = _changed(tmp_path / "other", "venom_core/main.py", '"venom-core"', '"venom-core-2"')
    again = provision(serving.of_light(venom={"tree": other}) | {"rollout": {"pause": 1}}).check()
    assert ("light", "Switch | canary") in again.changed_operations
    assert "ask a question" in serving.light.read("/opt/venom/jobs/activate/steps")
    tasks = visitor.fetch(serving.light, f"{BACKEND}/api/v1/tasks").json()
    # That of the release that was taken back went with its data.
    assert [it["status"] for it in tasks] == ["COMPLETED"]
