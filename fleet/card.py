"""The driver of a host's cards, which comes before everything else: what is planned depends on the cards.

A host whose card no driver uses cannot say how much memory that has. So its driver is installed first, the
host is rebooted, and only then it is planned for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pyinfra.context import host

from engine import outcome, packages, proxy, remote
from engine.command_line import command_line
from engine.observation import Observed
from engine.question import observe_host
from engine.refusal import Finding, RefusedError
from engine.resources import Packages, Prerequisite, differing
from fleet.assessment import Planned, check_host, plan_one
from fleet.rollout import Run
from roles.driver import sources
from roles.driver.choice import Cards, Choice, choose, declared
from roles.driver.install import SCRIPTS
from roles.preflight.deploy import packages_findings, probe
from roles.preflight.facts import Facts
from roles.preflight.module import reboot_helps, secure_boot
from schemas.data.systems import systems
from schemas.inventory import DeclaredHost
from schemas.model import HostPlan
from schemas.plan.host import assumed_hardware


@dataclass(frozen=True)
class DriverStage:
    """What is done on a host before it can be planned for."""

    choice: Choice
    resources: Sequence[Prerequisite]
    observed: Observed

    @property
    def preview(self) -> str:
        """What it is, for the operator."""
        differs = differing(self.resources, self.observed)
        what = "; ".join(map(str, differs)) or "it is installed, and not in use"
        return f"driver {self.choice.branch} first, then a reboot: {what}"


def driver_stage(of: DeclaredHost, run: Run) -> DriverStage | None:
    """What is done first for the cards of the current host; None where nobody asks for it, or it is no use.

    A driver that works is left alone, whoever installed it. Raises RefusedError with all that stands against
    a new one, before the first change.
    """
    if not of.installs_driver:
        return None
    facts = probe(containers=of.by_image, card=False)
    if any(it.vendor == "nvidia" for it in facts.hardware.gpus):
        return None
    if not facts.nvidia.devices:
        outcome.adds(host.name, "gpu.driver: install has no effect: there is no NVIDIA card on PCI")
        return None
    # With a card as the tier promises at the least: what it has is seen after the reboot.
    planned = plan_one(of, replace(facts.hardware, gpus=assumed_hardware(of).gpus))
    choice = _choice(facts, planned.plan)
    if not isinstance(choice, Choice):
        raise RefusedError([*choice, *_against(planned, facts, _look(planned, []))])
    lines = remote.ask(remote.shell("look_driver.sh", sources.FILE, folder=SCRIPTS)).stdout.splitlines()
    text = sources.further(lines, systems()[facts.system].codename)
    # Not from the fleet's store, which has no drivers.
    origin = proxy.way(planned.plan).variables
    wanted = declared(choice, text, origin)
    observed = _look(planned, wanted)
    missing = [name for it in wanted if isinstance(it, Packages) for name in it.missing(observed)]
    if not missing and not reboot_helps(facts.nvidia):
        return None
    findings = [
        *alone(of.name, run.others(of.name), command_line().inventory),
        *secure_boot(facts.nvidia),
        *_installers(lines),
        *_against(planned, facts, observed),
    ]
    if closed := closed_to(planned.plan, missing):
        findings += closed
    else:
        # Last: by the lists that it fetches, the packages are installed.
        findings += packages_findings(missing, packages.with_sources(origin, sources.FILE, text))
    if findings:
        raise RefusedError(findings)
    return DriverStage(choice, wanted, observed)


def alone(name: str, others: Sequence[str], inventory: str) -> list[Finding]:
    """That other hosts are in the run of one whose driver is to be installed.

    A run prepares all its hosts before it changes any: who builds what for others, what a store must hold,
    who switches in which wave. Of this one that is known only after its reboot. `inventory`: as the operator
    named it.
    """
    if not others:
        return []
    return [
        Finding(
            f"{name} alone in its run: its driver comes first, and its plan is made after a reboot",
            f"{', '.join(others)} in this run, too",
            f"pyinfra --limit {name} --data reboot=yes {inventory} deploy/venom.py",
        )
    ]


def _look(planned: Planned, wanted: Sequence[Prerequisite]) -> Observed:
    services = planned.generation.services
    return observe_host([*planned.resources, *wanted], planned.store_paths, planned.units, services)


def _against(planned: Planned, facts: Facts, observed: Observed) -> Sequence[Finding]:
    """What stands against everything else: it is reported with what stands against the driver."""
    try:
        check_host(planned.beside(observed), facts, observed)
    except RefusedError as refusal:
        return refusal.findings
    return ()


def _choice(facts: Facts, plan: HostPlan) -> Choice | list[Finding]:
    module = facts.nvidia
    cards = Cards(tuple(it.id for it in module.devices), facts.hardware.arch, module.running)
    version = plan.ollama.version if plan.ollama else ""
    return choose(cards, plan.drivers, version, systems()[facts.system])


def closed_to(plan: HostPlan, missing: Sequence[str]) -> list[Finding]:
    """That packages of a driver which the host lacks cannot be had: a store has none."""
    if not (missing and plan.store and plan.store.closed):
        return []
    return [
        Finding(
            f"sources of Debian packages besides the store, which has no drivers: {', '.join(missing)}",
            "internet: false",
            "leave that out until the driver is installed, or install one by hand and write "
            "`gpu: {driver: keep}`",
        )
    ]


def _installers(lines: Sequence[str]) -> list[Finding]:
    """Drivers that did not come as packages: two of them would overwrite each other."""
    found = [it.removeprefix("installer=") for it in lines if it.startswith("installer=")]
    required = "no driver of NVIDIA's own installer beside Debian's packages"
    return [Finding(required, it, f"run {it}, or write `gpu: {{driver: keep}}`") for it in found]
