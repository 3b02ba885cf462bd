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
