"""The preflight: what the host is, what it reaches, what apt says, and all that is wrong with it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.context import host

from engine import outcome, packages, proxy, remote
from engine.answers import understood
from engine.component import Component, Need
from engine.observation import Observed
from engine.proxy import Way
from engine.refusal import Finding, RefusedError, refuse
from engine.resources import Packages
from roles.preflight import apt, checks, drivers, reach
from roles.preflight.facts import Facts, parse
from schemas.model import HostPlan

SCRIPTS = Path(__file__).parent / "scripts"
# All sources of a host may be silent, each for as long as apt waits.
APT_SECONDS = 600


def probe(*, containers: bool, card: bool = True) -> Facts:
    """What the current host is. Raises RefusedError where it cannot be asked, or is none of ours.

    `containers`: whether any are planned, so that it is asked for what runs them, too; `card`: whether it
    is refused for one that cannot be used.
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
    seen = found if card else replace(found, gpu_trouble="")
    findings = checks.host_findings(seen, time.time())
    if findings:
        raise RefusedError(findings)
    return found


def check(
    plan: HostPlan,
    listed: Sequence[Component],
    facts: Facts,
    observed: Observed,
    lacking: Packages,
    unfit: Sequence[Finding],
    *,
    later: bool,
) -> None:
    """Raise RefusedError with everything that stands between this host and its plan, `unfit` first.

    `lacking`: the Debian packages that it does not have, and that could be had now, from where. `later`: it
    has no Internet, and its store serves only once this run has filled it.
    """
    way = proxy.way(plan)
    coming = [need for it in listed for need in it.needs if need.comes(observed)]
    findings = [*unfit]
    findings += checks.plan_findings(plan, listed, facts, coming)
    silent = _reach([it for it in coming if not (later and _of_store(plan, it))], way)
    findings += silent
    for remark in drivers.remarks(listed, facts):
        outcome.adds(host.name, remark)
    # Where the proxy lets nothing through, or the store lacks something, apt would say the same once more.
    store = plan.store.url if plan.store and plan.store.closed else ""
    reported = [it for url in (way.url, store) if url for it in findings if url in it.requirement]
    if not reported:
        findings += packages_findings(lacking.names, lacking.origin)
    if findings:
        raise RefusedError(findings)


def packages_findings(lacking: Sequence[str], origin: Mapping[str, str]) -> list[Finding]:
    """What keeps the current host from installing Debian packages from there (`packages.origin_of`)."""
    if not lacking:
        return []
    script = (SCRIPTS / "apt.sh").read_text(encoding="utf-8")
    answer = remote.ask(packages.ask_apt(script, lacking, origin), APT_SECONDS)
    found = apt.parse(answer.stdout)
    findings = apt.findings(found, lacking)
    if not findings and (remark := apt.remark(found)):
        outcome.adds(host.name, remark)
    return findings


def _of_store(plan: HostPlan, need: Need) -> bool:
    """Whether the fleet's store is one of the places where it is had."""
    return plan.store is not None and any(it.startswith(plan.store.url) for it in need.sources)


def _reach(coming: Sequence[Need], way: Way) -> list[Finding]:
    wanted = reach.places(coming)
    if not any(wanted.values()):
        return []
    text = (SCRIPTS / "reach.sh").read_text(encoding="utf-8")
    question = reach.question(wanted, way)
    answer = remote.ask(StringCommand("sh", "-c", QuoteString(text), _stdin=question))
    if not answer.ok:
        raise refuse("a host that reports what it reaches", answer.stderr.strip() or "no answer")
    return understood(
        "which addresses do not answer", answer.stdout, lambda text: reach.findings(wanted, way, text)
    )
