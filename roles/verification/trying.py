"""Trying everything on one host, each check with what shows why it failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import click
from pyinfra.context import host

from engine import remote
from engine.archive import Archive
from engine.component import Component
from engine.generation import Generation
from engine.observation import Observed
from engine.resources import Difference
from engine.services import Service
from roles.verification import access, door, engines, inside, outside, suites
from roles.verification.acceptance import FAILED, Check, Evidence
from roles.verification.attempt import NotSo, with_evidence
from roles.verification.browsing import Browsing
from schemas.model import HostPlan


@dataclass(frozen=True)
class Subject:
    """What is judged: a host as it stands, and what it is to be."""

    plan: HostPlan
    generation: Generation  # the plan's
    components: Sequence[Component]  # the plan's
    archive: Archive | None  # the source that serves; None: an image holds it
    applied: str  # key of the generation that serves; empty where none does
    changed: Sequence[Difference]  # the host is not as it was left
    pending: Sequence[Difference]  # the inventory says something else since
    observed: Observed
    cards: Sequence[str]  # names of the graphics cards
    loaded: bool  # whether the model was in memory before anything was asked
    secrets: Sequence[str]  # values that no report may hold
    budgets: Mapping[str, float]  # figure → what it may be at most
    suites: bool  # whether Venom's own suites are run, too


def accept(subject: Subject, folder: Path, took: dict[str, float]) -> tuple[Check, ...]:
    """Try everything on the current host. It changes nothing there but what two chats leave.

    Pictures lie in `folder`. What is measured on the way is put into `took`: figure → seconds.
    """
    plan, generation, budgets = subject.plan, subject.generation, subject.budgets
    step("units")
    checks = [
        inside.as_planned(subject.changed, subject.pending, subject.applied),
        *inside.units(generation, subject.observed),
    ]
    with access.opened(host, plan, _certificate(subject)) as way:
        step("the door")
        found = [
            *door.checks(way, plan.door, _door(subject)),
            outside.closed(remote.address(host, plan.ssh.address), _inner(subject.components)),
        ]
        found += [*outside.runtime(way, plan), *engines.onnx(plan, way)]
        step("a chat by the API")
        found += outside.chats(way, plan, subject.loaded, budgets["chat_seconds"], took)
        browsing = Browsing(way, folder, host.name, plan.source.release, budgets["ui_chat_seconds"])
        step("the UI in a browser")
        found += [browsing.pages(), browsing.narrow()]
        found += [browsing.chat(took, "" if plan.model else outside.NO_MODEL)]
        checks = list(_with_journals(checks + _from_inside(subject) + found, subject.components))
    if subject.suites:
        step("Venom's own suites")
        checks += suites.checks(plan, subject.archive)
    secrets = [*subject.secrets, *(way.login[1:] if way.login else ())]
    return tuple(_masked(it, secrets) for it in checks)


def _door(subject: Subject) -> Service:
    return next(it for it in subject.generation.services if it.reloads)


def _certificate(subject: Subject) -> str:
    """The fingerprint of the certificate that the door must serve; empty without TLS."""
    reloads = _door(subject).reloads
    return subject.observed.paths.get(reloads.certificate, {}).get("fingerprint", "") if reloads else ""


def _inner(components: Iterable[Component]) -> list[tuple[str, int]]:
    """What only the host itself may reach."""
    return [(port.name, port.number) for it in components for port in it.ports if not port.exposed]


def _from_inside(subject: Subject) -> list[Check]:
    plan, services = subject.plan, subject.generation.services
    try:
        found = inside.ask(services, plan)
    except NotSo as trouble:
        return [Check("inside", "The host can be asked", FAILED, "an answer", str(trouble))]
    return [
        *inside.health(services, found),
        *inside.model(plan, found),
        *inside.weights(services),
        *([inside.gpu(plan.model, found, subject.cards, plan.may_spill)] if plan.model else []),
        *engines.vllm(plan, found),
        inside.without_docker(found),
        inside.without_onnx(plan, found),
    ]


def step(what: str) -> None:
    """Tell what is tried now."""
    click.echo(f"    [{host.name}] {what}", err=True)


def _with_journals(checks: Iterable[Check], components: Sequence[Component]) -> Iterable[Check]:
    journal = cache(remote.journal)
    for it in checks:
        units = _units_of(it.name, components) if it.result == FAILED else []
        yield with_evidence(
            it, *(Evidence("journal", f"Last lines of {unit}", journal(unit)) for unit in units)
        )


def _units_of(name: str, components: Iterable[Component]) -> list[str]:
    """The units whose journals explain why a check of this name failed."""
    kind, _, rest = name.partition(".")
    if kind in {"units", "health"}:
        return [f"{rest}.service"]
    return [it.unit for it in components if it.unit and name.startswith(it.concerns)]


def _masked(check: Check, secrets: Sequence[str]) -> Check:
    def mask(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "*****")
        return text

    evidence = tuple(replace(it, text=mask(it.text)) for it in check.evidence)
    return replace(check, found=mask(check.found), evidence=evidence)
