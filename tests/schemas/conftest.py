"""What the unit tests are given: an inventory written to a file of its own, and hosts to plan for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from schemas.declared.host import DeclaredHost
from schemas.hardware import Gpu, Hardware
from schemas.inventory import Inventory, InventoryError, load
from schemas.plan.host import plan_host
from schemas.plan.memory import GIB
from schemas.reading.problem import PlanError, Problem

Write = Callable[[str], Path]
Load = Callable[..., Inventory]
Refuse = Callable[..., list[Problem]]
Host = Callable[..., DeclaredHost]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes an inventory and gives its path."""

    def _write(text: str) -> Path:
        path = tmp_path / "fleet.yaml"
        path.write_text(dedent(text), encoding="utf-8")
        return path

    return _write


@pytest.fixture
def loaded(write: Write) -> Load:
    """The inventory that a text is."""

    def _loaded(text: str, environ: Mapping[str, str] | None = None) -> Inventory:
        return load(write(text), environ or {})

    return _loaded


@pytest.fixture
def refused(write: Write) -> Refuse:
    """The problems that a text is refused for."""

    def _refused(text: str, environ: Mapping[str, str] | None = None) -> list[Problem]:
        with pytest.raises(InventoryError) as caught:
            load(write(text), environ or {})
        return list(caught.value.problems)

    return _refused


@pytest.fixture
def host(loaded: Load) -> Host:
    """One host with the given settings (YAML, one a line)."""

    def _host(settings: str = "", environ: Mapping[str, str] | None = None) -> DeclaredHost:
        lines = "".join(f"    {line}\n" for line in dedent(settings).strip().splitlines())
        return loaded(f"hosts:\n  box:\n    address: 192.0.2.1\n{lines}", environ).host("box")

    return _host


def cpu(memory_gib: float, *, python: str = "3.11.2", arch: str = "amd64") -> Hardware:
    """A host without a card."""
    return Hardware(arch, python, int(memory_gib * GIB), ())


def card(vram_gib: float, *, vendor: str = "nvidia", python: str = "3.11.2") -> Hardware:
    """A host with one card that reports so much VRAM."""
    gpu = Gpu(vendor, "a card", int(vram_gib * GIB), "550.163.01", "8.9")
    return Hardware("amd64", python, 32 * GIB, (gpu,))


def unplannable(host: Host, settings: str, hardware: Hardware) -> Problem:
    """The one problem for which the plan of a host with these settings is refused."""
    with pytest.raises(PlanError) as caught:
        plan_host(host(settings), hardware)
    (problem,) = caught.value.problems
    return problem
