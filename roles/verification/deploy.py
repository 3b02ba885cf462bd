"""Accepting the current host, and ending the run with the acceptance of all."""

from __future__ import annotations

import getpass
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import click
from pyinfra.api.exceptions import DeployError
from pyinfra.context import host
from pyinfra.context import state as pyinfra_state

from roles.common import outcome, remote
from roles.common.generation import Generation
from roles.common.look import Seen
from roles.common.refusal import RefusedError
from roles.common.resources import Difference
from roles.verification import access, inside, junit, outside, report, table
from roles.verification.acceptance import (
    FAILED,
    PASSED,
    UNREACHED,
    Acceptance,
    Check,
    Evidence,
    HostAcceptance,
    folder_of,
    write,
)
from roles.verification.attempt import NotSo, with_evidence
from roles.verification.browsing import Browsing
from roles.verification.checklist import checklist
from roles.verification.measuring import Figures, measure
from schemas.inventory import DeclaredHost
from schemas.model import HostPlan

_accepted: dict[str, HostAcceptance] = {}


@dataclass(frozen=True)
class Subject:
    """What is judged: a host as it stands, and what it is to be."""

    plan: HostPlan
    generation: Generation  # the plan's
    applied: str  # key of the generation that serves; empty where none does
    changed: Sequence[Difference]  # the host is not as it was left
    asked: Sequence[Difference]  # the inventory says something else since
    seen: Seen
    cards: Sequence[str]  # names of the graphics cards
    loaded: bool  # whether the model was in memory before anything was asked
    secrets: Sequence[str]  # values that no report may hold
    budgets: Mapping[str, float]  # figure → what it may be at most


def accept(subject: Subject, took: dict[str, float]) -> tuple[Check, ...]:
    """Try everything on the current host. It changes nothing there but what two chats leave.

    What is measured on the way is put into `took`: figure → seconds.
    """
    plan, generation, budgets = subject.plan, subject.generation, subject.budgets
    _step("units")
    checks = [
        inside.as_planned(subject.changed, subject.asked, subject.applied),
        *inside.units(generation, subject.seen),
    ]
    with access.opened(host, plan) as way:
        ports = [("backend", plan.backend.port), ("UI", plan.ui.port)]
        ports += [("Ollama", plan.ollama.port)] if plan.ollama else []
        _step("interfaces")
        found = [outside.closed(plan.ssh.address, ports), outside.websocket(way)]
        found += outside.runtime(way, plan)
        _step("a chat by the API")
        found += outside.chats(way, plan, subject.loaded, budgets["chat_seconds"], took)
        browsing = Browsing(way, folder(), host.name, budgets["ui_chat_seconds"])
        _step("the UI in a browser")
        found += [browsing.pages(), browsing.narrow()]
        found += [browsing.chat(took, "" if plan.model else outside.NO_MODEL)]
        checks += _from_inside(subject) + found
    return tuple(_masked(it, subject.secrets) for it in _with_journals(checks))


def _from_inside(subject: Subject) -> list[Check]:
    plan, services = subject.plan, subject.generation.services
    try:
        said = inside.ask(services, plan)
    except NotSo as trouble:
        return [Check("inside", "The host can be asked", FAILED, "an answer", str(trouble))]
    return [
        *inside.health(services, said),
        *inside.model(plan, said),
        inside.gpu(plan, said, subject.cards),
        inside.without_docker(said),
        inside.without_onnx(plan, said),
    ]


def _step(what: str) -> None:
    click.echo(f"    [{host.name}] {what}", err=True)


# Which units' journals tell why a check failed, by the beginning of its name.
_CONCERNED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("api.", ("venom-backend.service", "ollama.service")),
    ("ui.chat", ("venom-backend.service", "venom-ui.service")),
    ("ui.", ("venom-ui.service",)),
    ("runtime.", ("venom-backend.service",)),
    ("cloud.", ("venom-backend.service",)),
    ("model.", ("ollama.service",)),
    ("gpu.", ("ollama.service",)),
)


def _with_journals(checks: Iterable[Check]) -> Iterable[Check]:
    told = cache(remote.journal)
    for it in checks:
        units = _units_of(it.name) if it.result == FAILED else ()
        yield with_evidence(it, *(Evidence("journal", f"Last lines of {unit}", told(unit)) for unit in units))


def _units_of(name: str) -> tuple[str, ...]:
    kind, _, rest = name.partition(".")
    if kind in {"units", "health"}:
        return (f"{rest}.service",)
    return next((units for start, units in _CONCERNED if name.startswith(start)), ())


def _masked(check: Check, secrets: Sequence[str]) -> Check:
    def mask(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "*****")
        return text

    evidence = tuple(replace(it, text=mask(it.text)) for it in check.evidence)
    return replace(check, found=mask(check.found), evidence=evidence)


@cache
def begun() -> str:
    """When this acceptance began: UTC, ISO 8601."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def folder() -> Path:
    """Where the report of this acceptance lies."""
    return folder_of(begun())


def verdict(checks: Sequence[Check]) -> str:
    """Of a host."""
    return FAILED if any(it.result == FAILED for it in checks) else PASSED


def tell(result: HostAcceptance, finish: Callable[[Acceptance], Mapping[str, str]]) -> None:
    """Tell how the current host was judged; with the last one, write the report and end the run.

    `finish` makes files of the whole acceptance and returns them: what each is → where it lies.
    """
    if pyinfra_state.op_meta:
        raise DeployError("deploy/verify.py judges hosts as they stand now: run it by itself")
    _accepted[host.name] = result
    click.echo(f"\n{table.host_table(result)}\n")
    if len(_accepted) < len(pyinfra_state.active_hosts):
        return
    hosts = [it for it in pyinfra_state.inventory if pyinfra_state.is_host_in_limit(it)]
    acceptance = Acceptance(
        at=begun(),
        by=f"{getpass.getuser()}@{platform.node()}",
        inventory=host.data.declared.settings.document.name,
        hosts=tuple(_accepted.get(it.name) or unreached(it.data.declared) for it in hosts),
    )
    outcome.end(table.ending(acceptance, finish(acceptance)), acceptance.exit_status)


def unreached(declared: DeclaredHost, why: str = outcome.UNREACHED) -> HostAcceptance:
    """A host that could not be judged."""
    return HostAcceptance(declared.name, declared.ssh.address, UNREACHED, serves=why)


def documents(acceptance: Acceptance) -> Mapping[str, str]:
    """Write the report as a page, as `report.json` and as `junit.xml`."""
    return {
        "page": str(report.write(acceptance, folder())),
        "report": str(write(acceptance, folder())),
        "junit": str(junit.write(acceptance, folder())),
    }


def judged(declared: DeclaredHost, subject: Subject, serves: str, release: str) -> HostAcceptance:
    """The current host, tried and judged."""
    took: dict[str, float] = {}
    checks = accept(subject, took)
    _step("figures")
    figures = _figures(declared.name, took, subject.budgets)
    checks += figures.checks
    return HostAcceptance(
        name=declared.name,
        address=declared.ssh.address,
        result=verdict(checks),
        generation=subject.applied,
        release=release,
        profile=subject.plan.profile,
        serves=serves,
        checks=checks,
        checklist=checklist(checks),
        run=figures.run,
        metrics=figures.metrics,
        history=figures.history,
    )


def _figures(name: str, took: Mapping[str, float], budgets: Mapping[str, float]) -> Figures:
    try:
        return measure(begun(), name, took, budgets)
    except RefusedError as trouble:
        found = "; ".join(it.found for it in trouble.findings)
        failed = Check("figures", "The host can be measured", FAILED, "an answer", found)
        return Figures(run={}, metrics={}, history=(), checks=(failed,))
