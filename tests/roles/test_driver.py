"""What looks after the card: a check at boot, on hosts whose model should lie on one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from engine.generation import Generation, restored, written
from engine.observation import Observed
from engine.question import question_about
from engine.resources import Absent, Enabled, File
from engine.services import Generates, Service
from fleet.builds import Build
from fleet.components import components
from roles.door.secrets import Revealed
from roles.driver import deploy as driver
from roles.status.drift import drift
from schemas.plan.memory import GIB
from tests.engine.test_spill import ALLOW, CARD, planned
from tests.roles.plans import INVENTORY
from tests.roles.states import SEEN, state

FAILED = {driver.UNIT: {"ActiveState": "failed"}}


def listed(inventory: str = INVENTORY, *gpus: Any) -> dict[str, Any]:
    plan = planned(inventory, *gpus)
    return {it.name: it for it in components(plan, Build.unknown(plan), {}, Revealed(), gpu=bool(gpus))}


def test_a_host_with_a_card_checks_after_each_boot_that_the_model_lies_on_it() -> None:
    made = listed(INVENTORY, CARD)
    files = {it.path: it.content for it in made["driver"].resources if isinstance(it, File)}
    unit = files["/etc/systemd/system/venom-card.service"]
    line = f"{driver.PROGRAM} ollama.service http://127.0.0.1:11434 gemma3:4b 1200"
    assert f"ExecStart=/usr/bin/python3 -I -S {line}\n" in unit
    assert "DynamicUser=yes" in unit
    assert Enabled("venom-card.timer") in made["driver"].resources
    assert "OnBootSec=" in files["/etc/systemd/system/venom-card.timer"]
    assert made["ollama"].service.model.checked_by == driver.UNIT
    compile(files[driver.PROGRAM], driver.PROGRAM, "exec")


@pytest.mark.parametrize("gpus", [(), (CARD,)])
def test_a_host_whose_model_may_lie_elsewhere_has_no_check(gpus: tuple[Any, ...]) -> None:
    made = listed(ALLOW, *gpus)
    absent = {it.path for it in made["driver"].prerequisites if isinstance(it, Absent)}
    assert {driver.PROGRAM, "/etc/systemd/system/venom-card.timer"} < absent
    assert made["driver"].resources == ()
    assert "checked_by" not in written(made["ollama"].service)["model"]


def serving(**changes: Any) -> Service:
    model = Generates("gemma3:4b", "http://127.0.0.1:11434", True, 1200, "/m", checked_by=driver.UNIT)
    return Service("ollama.service", "Ollama", "beef", "u", 60, model=replace(model, **changes))


def generation(service: Service) -> Generation:
    return Generation("Venom, light", (), (service,), (), (), {})


def status(service: Service, observed: Observed, vram: int) -> list[str]:
    """What differs from what was applied, where the plan could not be made: the card's driver is broken."""
    loaded = {"gemma3:4b": {"size": 10 * GIB, "size_vram": vram}}
    host = state(models={"digests": {}, "loaded": loaded})
    applied = restored(json.loads(json.dumps(generation(service).content())))
    changed, _ = drift(replace(host, generation=applied), observed, None)
    return [str(it) for it in changed]


def test_a_check_that_failed_is_drift_and_lets_the_next_run_prove_again() -> None:
    observed = replace(SEEN, units={**SEEN.units, **FAILED})
    words = "venom-card.service: failed: the model does not lie on the card since the boot"
    (doubt,) = serving().doubts(observed)
    assert str(doubt) == f"{words} (journalctl -u venom-card.service)"
    assert str(doubt) in status(serving(), observed, 10 * GIB)
    it = generation(serving())
    with_receipt = replace(observed, receipt={"generation": it.key, **it.record})
    assert doubt in it.unproven(with_receipt)
    assert not serving(checked_by="").doubts(observed)
    assert not serving().doubts(SEEN)


def test_a_model_that_processors_compute_is_drift_where_a_card_should() -> None:
    words = "gemma3:4b: 1.0 GiB of 10.0 GiB in VRAM: processors compute the rest"
    assert words in status(serving(), SEEN, GIB)
    assert words not in status(serving(), SEEN, 10 * GIB)
    assert words not in status(serving(gpu=False, checked_by=""), SEEN, GIB)
    assert words not in status(serving(may_spill=True, checked_by=""), SEEN, GIB)


def test_the_check_is_observed_although_no_plan_could_be_made() -> None:
    asked = question_about([], [], [], [serving(), serving(checked_by="")])
    assert list(asked.units) == [driver.UNIT]
