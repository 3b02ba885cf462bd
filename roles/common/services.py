"""Services: a unit whose process carries the fingerprint of its inputs, and the proof that it serves."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyinfra.api.command import FunctionCommand, QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from roles.common import remote
from roles.common.look import Seen
from roles.common.operations import Commands, fail
from roles.common.resources import sha256

POLL_SECONDS = 0.5
TELL_SECONDS = 15.0


@dataclass(frozen=True)
class Service:
    """A unit of ours: what its process must have been started with, and how it shows that it serves."""

    unit: str
    title: str
    fingerprint: str
    url: str  # answers 200 once the service does what it is for
    ready_timeout: int  # seconds

    def runs(self, seen: Seen) -> bool:
        """Whether its process runs and was started with the planned inputs (rule 3 of the design)."""
        unit = seen.units.get(self.unit, {})
        return (
            unit.get("ActiveState") == "active"
            and unit.get("Fingerprint") == self.fingerprint
            and unit.get("NeedDaemonReload") != "yes"
        )


def fingerprint(inputs: Mapping[str, Any]) -> str:
    """One short value for everything that a service depends on.

    Sixteen hex digits of SHA-256: enough to tell two inputs apart, and nothing to guess a secret from.
    """
    return sha256(json.dumps(inputs, sort_keys=True, default=str))[:16]


@operation()
def start(service: Service, seen: Seen) -> Commands:
    """
    Start the service with the planned inputs, if its process does not run with them already.

    + service: what is to run
    + seen: what runs
    """
    if service.runs(seen):
        host.noop(f"{service.unit} runs with the planned inputs")
        return
    yield StringCommand("systemctl", "daemon-reload")
    yield StringCommand("systemctl", "reset-failed", service.unit, "2>/dev/null || true")
    # Waits until the old process is gone, so that no answer can come from it any more. Whether the new
    # one serves is the business of `ready`, which tells more than systemctl does.
    yield StringCommand("systemctl", "restart", service.unit, "2>/dev/null || true")


@operation()
def ready(services: Sequence[Service], seen: Seen, needed: bool = False) -> Commands:
    """
    Wait until each service answers for what it is for, and runs with the planned inputs.

    + services: what is to answer, in this order
    + seen: what ran before
    + needed: prove it although their processes are the planned ones
    """
    waiting = [service for service in services if needed or not service.runs(seen)]
    if not waiting:
        host.noop("all services run with the planned inputs")
    for service in waiting:
        yield FunctionCommand(_await, (service,), {})


@operation()
def grouped(target: str, seen: Seen) -> Commands:
    """
    Start the target that the services belong to, so that it starts and stops them with the host.

    + target: its name
    + seen: what runs
    """
    if seen.units.get(target, {}).get("ActiveState") == "active":
        host.noop(f"{target} is active")
        return
    yield StringCommand("systemctl", "start", target)


@operation()
def stopped(unit: str, seen: Seen) -> Commands:
    """
    Stop and disable a unit that must not run under this profile.

    + unit: its name
    + seen: what runs
    """
    have = seen.units.get(unit, {})
    if have.get("LoadState", "not-found") == "not-found" and have.get("ActiveState") != "active":
        host.noop(f"{unit} is not there")
        return
    yield StringCommand("systemctl", "disable", "--quiet", "--now", unit)


def _await(state: Any, host: Any, service: Service) -> bool:
    begun = told_at = time.monotonic()
    probe = StringCommand(
        *(
            "curl",
            "--silent",
            "--show-error",
            "--fail",
            "--max-time",
            "10",
            "--output",
            "/dev/null",
        ),
        *(QuoteString(service.url), ";", "echo curl=$?;"),
        *("systemctl", "show", "--property", "ActiveState,NRestarts,MainPID", service.unit, ";"),
        *("tr", "'\\0'", "'\\n'", "2>/dev/null"),
        *(f"</proc/$(systemctl show --property MainPID --value {service.unit})/environ |",),
        *("grep", "^VENOM_FINGERPRINT=", "|| true"),
    )
    while True:
        answer = remote.ask(probe, timeout=30)
        status = dict(line.partition("=")[::2] for line in answer.stdout.splitlines())
        took = time.monotonic() - begun
        if status.get("curl") == "0":
            runs = status.get("VENOM_FINGERPRINT", "none")
            if runs != service.fingerprint:
                reason = f"it runs with other inputs ({runs}) than the plan's ({service.fingerprint})"
                return fail(state, host, _failure(service, reason))
            host.log(f"{service.title} answers after {took:.1f} s")
            return True
        if status.get("ActiveState") == "failed" or int(status.get("NRestarts", 0)) > 2:
            return fail(state, host, _failure(service, "its process ends at once"))
        if took > service.ready_timeout:
            said = answer.stderr.strip() or f"state {status.get('ActiveState')}"
            reason = f"no answer from {service.url} within {service.ready_timeout} s ({said})"
            return fail(state, host, _failure(service, reason))
        if time.monotonic() - told_at > TELL_SECONDS:
            host.log(f"{service.title}: starting, {took:.0f} s")
            told_at = time.monotonic()
        time.sleep(POLL_SECONDS)


def _failure(service: Service, reason: str) -> str:
    log = remote.journal(service.unit)
    return f"{service.title} ({service.unit}) does not serve: {reason}. Its last lines:\n{log}"
