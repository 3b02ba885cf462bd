"""The preflight: two questions to the host, and a list of everything that is wrong with it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from pyinfra.api.command import QuoteString, StringCommand

from roles.common import remote
from roles.common.answers import understood
from roles.common.refusal import Finding, RefusedError, refuse
from roles.preflight import checks, facts
from roles.preflight.checks import Coming
from roles.preflight.facts import Facts, parse
from schemas.model import HostPlan

SCRIPTS = Path(__file__).parent / "scripts"


def probe(*, containers: bool) -> Facts:
    """What the current host is. Raises RefusedError where it cannot be asked, or is none of ours.

    `containers`: whether any are planned, so that it is asked for what runs them, too.
    """
    text = (SCRIPTS / "probe.sh").read_text(encoding="utf-8")
    answer = remote.ask(StringCommand("sh", "-c", QuoteString(text), "sh", "yes" if containers else "no"))
    if not answer.ok:
        raise refuse(
            "root on the host, by sudo without a password where the SSH user is not root",
            answer.stderr.strip() or "no answer",
            "set `ssh.user: root`, or let the SSH user sudo (NOPASSWD)",
        )
    found = understood("what it is", answer.stdout, parse)
    findings = checks.host_findings(found, time.time())
    if findings:
        raise RefusedError(findings)
    return found


def check(plan: HostPlan, facts: Facts, coming: Coming, unfit: Sequence[Finding]) -> None:
    """Raise RefusedError with everything that stands between this host and its plan, `unfit` first."""
    findings = [*unfit]
    findings += checks.plan_findings(plan, facts, coming)
    findings += _reach(checks.addresses(plan, facts, coming))
    if findings:
        raise RefusedError(findings)


def _reach(wanted: dict[str, list[tuple[str, int]]]) -> list[Finding]:
    places = sorted({place for places in wanted.values() for place in places})
    if not places:
        return []
    text = (SCRIPTS / "reach.sh").read_text(encoding="utf-8")
    lines = "\n".join(f"{host} {port}" for host, port in places)
    answer = remote.ask(StringCommand("sh", "-c", QuoteString(text), _stdin=lines))
    if not answer.ok:
        raise refuse("a host that can be asked what it reaches", answer.stderr.strip() or "no answer")
    silent = understood("which addresses do not answer", answer.stdout, facts.silent)
    return checks.unreachable(wanted, silent)
