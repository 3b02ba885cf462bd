"""Accepting the current host, and ending the run with the acceptance of all."""

from __future__ import annotations

import getpass
import platform
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import click
from pyinfra.api.exceptions import DeployError
from pyinfra.context import host
from pyinfra.context import state as pyinfra_state

from engine import outcome
from engine.refusal import RefusedError
from roles.verification import report, table
from roles.verification.acceptance import (
    FAILED,
    PASSED,
    UNREACHED,
    Acceptance,
    Check,
    HostAcceptance,
    folder_of,
    write,
)
from roles.verification.checklist import checklist
from roles.verification.measuring import Figures, measure
from roles.verification.trying import Subject, accept, step
from schemas.inventory import DeclaredHost

_accepted: dict[str, HostAcceptance] = {}


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


def report_acceptance(result: HostAcceptance, finish: Callable[[Acceptance], Mapping[str, str]]) -> None:
    """Tell how the current host was judged; with the last one, write the report and end the run.

    `finish` makes files of the whole acceptance and returns them: what each is → where it lies.
    """
    if pyinfra_state.op_meta:
        raise DeployError("deploy/verify.py tests hosts as they stand now: run it by itself")
    _accepted[host.name] = result
    click.echo(f"\n{table.host_table(result)}\n")
    if len(_accepted) < len(pyinfra_state.active_hosts):
        return
    hosts = [it for it in pyinfra_state.inventory if pyinfra_state.is_host_in_limit(it)]
    acceptance = Acceptance(
        at=begun(),
        by=f"{getpass.getuser()}@{platform.node()}",
        inventory=host.data.declared.settings.document.name,
        hosts=tuple(
            _accepted.get(it.name) or unreached(it.data.declared, outcome.unreached(it)) for it in hosts
        ),
    )
    outcome.end(table.ending(acceptance, finish(acceptance)), acceptance.exit_status)


def unreached(declared: DeclaredHost, why: str) -> HostAcceptance:
    """A host that could not be judged."""
    return HostAcceptance(declared.name, declared.ssh.address, UNREACHED, serves=why)


def documents(acceptance: Acceptance) -> Mapping[str, str]:
    """Write the report as a page, as `report.json` and as `junit.xml`."""
    return {
        "page": str(report.write(acceptance, folder())),
        "report": str(write(acceptance, folder())),
        "junit": _junit(acceptance),
    }


def _junit(acceptance: Acceptance) -> str:
    """Where `junit.xml` lies; or what to install, where nothing can write it."""
    if find_spec("junitparser") is None:
        return "not written: junitparser is missing on this machine: .venv/bin/pip install -e '.[verify]'"
    from roles.verification import junit  # noqa: PLC0415 - it takes an extra

    return str(junit.write(acceptance, folder()))


def judge(declared: DeclaredHost, subject: Subject, serves: str, release: str) -> HostAcceptance:
    """The current host, tried and judged."""
    took: dict[str, float] = {}
    checks = accept(subject, folder(), took)
    step("figures")
    figures = _figures(declared.name, took, subject)
    checks += figures.checks
    return HostAcceptance(
        name=declared.name,
        address=declared.ssh.address,
        result=verdict(checks),
        generation=subject.applied,
        release=release,
        profile=subject.plan.profile,
        vram_tier=subject.plan.vram_tier.name if subject.plan.vram_tier else "",
        serves=serves,
        checks=checks,
        checklist=checklist(checks),
        run=figures.run,
        metrics=figures.metrics,
        history=figures.history,
    )


def _figures(name: str, took: Mapping[str, float], subject: Subject) -> Figures:
    try:
        return measure(begun(), name, took, subject.budgets, subject.components)
    except RefusedError as trouble:
        found = "; ".join(it.found for it in trouble.findings)
        failed = Check("figures", "The host can be measured", FAILED, "an answer", found)
        return Figures(run={}, metrics={}, history=(), checks=(failed,))
