"""A plan for tests of the roles, from the example that users copy."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from engine.component import Component
from fleet.builds import Build
from fleet.components import components
from roles.door.secrets import Revealed
from schemas.inventory import DeclaredHost, load
from schemas.model import HostPlan
from schemas.plan.host import assumed_hardware, plan_host

INVENTORY = """\
hosts:
  box:
    address: 192.0.2.10
    profile: light
    model: gemma3:4b
    venom: {release: v1.9.0}
    ollama: {version: 0.24.0}
"""


@cache
def declared(inventory: str = INVENTORY) -> DeclaredHost:
    """The first host of an inventory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "inventory.yaml"
        path.write_text(inventory, encoding="utf-8")
        return load(path).hosts[0]


@cache
def plan(inventory: str = INVENTORY) -> HostPlan:
    """The plan of the first host of an inventory, for the hardware that it declares."""
    host = declared(inventory)
    return plan_host(host, assumed_hardware(host))


def components_of(of: HostPlan) -> tuple[Component, ...]:
    """The components of a plan, as far as they need neither source nor secret."""
    return components(of, Build.unknown(of), {}, Revealed(), gpu=False)
