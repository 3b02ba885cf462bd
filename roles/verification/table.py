"""An acceptance as an operator reads it. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

import click

from roles.verification.acceptance import (
    FAILED,
    PASSED,
    SKIPPED,
    UNREACHED,
    Acceptance,
    Check,
    HostAcceptance,
)

_COLORS = {PASSED: "green", FAILED: "red", SKIPPED: "yellow", UNREACHED: "red"}
_WIDTH, _TRIED = 110, 90
_INDENT = " " * 11


def host_table(host: HostAcceptance) -> str:
    """A host: how it stands, then a block a check."""
    head = f"{host.name} ({host.address}): {_styled(host.result)}"
    lines = [head, *_summary(host)]
    for it in host.checks:
        lines += _check(it)
    return "\n".join(lines)


def _summary(host: HostAcceptance) -> list[str]:
    """What it serves and by which VRAM tier, or why it was not reached: that may be several lines."""
    tier = [f"VRAM tier {host.vram_tier}"] if host.vram_tier else []
    return [f"  {line}" for line in (*host.serves.splitlines(), *tier)]


def _check(check: Check) -> Iterable[str]:
    seconds = f"{check.seconds:6.1f} s" if check.seconds >= 0.05 else " " * 8
    tried = f"{check.title}: {check.expected}"
    yield f"  {_styled(check.result)}{' ' * (9 - len(check.result))}{tried:<{_TRIED}} {seconds}".rstrip()
    yield from _wrapped("why" if check.result == SKIPPED else "found", check.found)


def _wrapped(label: str, text: str) -> Iterable[str]:
    # A path stays in one piece: it is copied.
    wrapper = textwrap.TextWrapper(_WIDTH - len(_INDENT) - 9, break_on_hyphens=False, break_long_words=False)
    first, *others = [it for line in text.splitlines() for it in wrapper.wrap(line)] or [""]
    yield f"{_INDENT}{label:<9}{first}"
    for line in others:
        yield f"{_INDENT}{' ' * 9}{line}"


def ending(acceptance: Acceptance, files: Mapping[str, str]) -> str:
    """What stands at the end: the checklist of each host, what failed, and where the report lies."""
    lines = []
    for host in acceptance.hosts:
        lines += [f"{host.name}: {_styled(host.result)}"]
        lines += _summary(host) if host.result == UNREACHED else []
        for item in host.checklist:
            lines.append(f"  {_styled(item.result)}{' ' * (9 - len(item.result))}{item.item}")
            lines += [f"{_INDENT}{', '.join(item.checks)}"]
        beside = [it for it in host.checks if it.result == FAILED and not _listed(it, host)]
        lines += [f"  {_styled(FAILED)}   {it.title}: {it.found}" for it in beside]
        lines.append("")
    verdict = "accepted" if acceptance.exit_status == 0 else "not accepted"
    number = sum(it.result == SKIPPED for host in acceptance.hosts for it in host.checks)
    lines.append(click.style(verdict, _COLORS[acceptance.result], bold=True) + _but_skipped(number))
    lines += [f"{what:<9}{where}" for what, where in files.items()]
    return "\n".join(lines)


def _but_skipped(number: int) -> str:
    return f"; {number} checks were skipped, each for the reason above" if number else ""


def _listed(check: Check, host: HostAcceptance) -> bool:
    return any(check.name in item.checks for item in host.checklist)


def _styled(result: str) -> str:
    return click.style(result, _COLORS[result])
