"""A model that lies only partly in VRAM: the switch is taken back, or goes on with a warning."""

from __future__ import annotations

from typing import Any

import pytest

from engine.generation import written
from fleet.builds import Build
from fleet.components import components
from roles.door.secrets import Revealed
from roles.verification import inside
from roles.verification.inside import Inside
from schemas.hardware import Gpu, Hardware
from schemas.model import HostPlan
from schemas.plan.host import plan_host
from schemas.plan.memory import GIB
from schemas.plan.show import describe, to_dict
from tests.roles.plans import INVENTORY, declared

ALLOW = f"{INVENTORY}    gpu: {{spill: allow}}\n"
REFUSE = f"{INVENTORY}    gpu: {{spill: refuse}}\n"
CARD = Gpu("nvidia", "NVIDIA GeForce RTX 3060", 12 * GIB, "550.163.01", "8.6")


def planned(inventory: str, *gpus: Gpu) -> HostPlan:
    return plan_host(declared(inventory), Hardware("amd64", "3.11", 32 * GIB, gpus))


def service(inventory: str, *gpus: Gpu) -> dict[str, Any]:
    """Ollama's, as its generation has it on the host."""
    plan = planned(inventory, *gpus)
    listed = components(plan, Build.unknown(plan), {}, Revealed(), gpu=bool(gpus))
    (ollama,) = (it.service for it in listed if it.service and it.service.model)
    return written(ollama)


@pytest.mark.parametrize("inventory", [INVENTORY, REFUSE])
def test_a_switch_is_refused_where_more_than_a_tenth_lies_outside_vram(switch: Any, inventory: str) -> None:
    ollama = service(inventory, CARD)
    assert not switch.spilled(ollama, 10 * GIB, 9 * GIB, False)
    with pytest.raises(switch.NotServingError) as refused:
        switch.spilled(ollama, 10 * GIB, 8.9 * GIB, False)
    assert str(refused.value).splitlines()[:4] == [
        "Ollama (ollama.service) does not serve as planned:",
        "required  gemma3:4b wholly in VRAM",
        "found     10.0 GiB, 8.9 GiB of it in VRAM: processors compute the rest",
        "do        see what else uses the card (nvidia-smi), and what Ollama says of it "
        "(journalctl -u ollama.service);",
    ]
    assert "`gpu: {spill: allow}`" in str(refused.value)


def test_it_goes_on_where_the_inventory_allows_it_and_on_the_way_back(switch: Any) -> None:
    assert switch.spilled(service(ALLOW, CARD), 10 * GIB, 0, False)
    assert switch.spilled(service(INVENTORY, CARD), 10 * GIB, 0, True)


def test_a_host_without_a_card_is_not_asked(switch: Any) -> None:
    for inventory in (INVENTORY, REFUSE, ALLOW):
        assert not switch.spilled(service(inventory), 10 * GIB, 0, False)


def test_only_who_allows_it_on_a_card_has_another_generation() -> None:
    for gpus in ((), (CARD,)):
        assert service(REFUSE, *gpus) == service(INVENTORY, *gpus)
        assert to_dict(planned(REFUSE, *gpus)) == to_dict(planned(INVENTORY, *gpus))
        assert "may_spill" not in to_dict(planned(INVENTORY, *gpus))
        assert "may_spill" not in service(INVENTORY, *gpus)["model"]
    assert service(ALLOW) == service(INVENTORY)
    assert to_dict(planned(ALLOW)) == to_dict(planned(INVENTORY))
    assert service(ALLOW, CARD)["model"]["may_spill"] is True
    assert service(ALLOW, CARD)["fingerprint"] == service(INVENTORY, CARD)["fingerprint"], "nothing restarts"
    assert "may lie outside VRAM (gpu.spill)" in describe(planned(ALLOW, CARD))


@pytest.mark.parametrize(
    ("vram", "may_spill", "result"), [(10, False, "passed"), (9, False, "failed"), (9, True, "passed")]
)
def test_the_acceptance_shows_how_much_lies_on_the_card(vram: int, may_spill: bool, result: str) -> None:
    plan = planned(INVENTORY, CARD)
    assert plan.model is not None
    loaded = {"models": [{"name": plan.model.name, "size": 10 * GIB, "size_vram": vram * GIB}]}
    check = inside.gpu(plan.model, Inside({}, {}, {}, (), (), None, loaded), [CARD.name], may_spill)
    assert (check.result, check.found) == (result, f"{vram}.0 GiB of 10.0 GiB on {CARD.name}")
    assert check.expected == ("all of it, or less (gpu.spill: allow)" if may_spill else "all of it")
