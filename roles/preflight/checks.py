"""What must be true of a host before its first change. Pure: facts, plan and look in, findings out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from engine import paths
from engine.component import Component, Need
from engine.refusal import Finding
from engine.resources import Absent
from roles.preflight import containers, drivers, module
from roles.preflight.facts import Facts, Listener
from schemas.data.systems import architectures, systems
from schemas.model import HostPlan

GB = 10**9

CLOCK_SECONDS = 300


def host_findings(facts: Facts, now: float) -> list[Finding]:
    """What is wrong with the host whatever its plan: system, architecture, rights, init, clock.

    `now` is the time on this machine, in seconds since 1970.
    """
    found = []
    if facts.system not in systems():
        found.append(
            Finding(
                f"one of {', '.join(it.name for it in systems().values())}",
                facts.system,
                "install one of these, or take the host out of the inventory",
            )
        )
    if facts.hardware.arch not in architectures():
        found.append(Finding(f"architecture {' or '.join(architectures())}", facts.hardware.arch, ""))
    if facts.uid != "0":
        found.append(
            Finding(
                "root on the host",
                f"user id {facts.uid}",
                "set `ssh.user: root`, or `ssh.sudo: true` with a user who may sudo without a password",
            )
        )
    if facts.init != "systemd":
        found.append(Finding("systemd as the init", facts.init or "unknown", "use a host that boots with it"))
    if abs(facts.clock - now) > CLOCK_SECONDS:
        found.append(
            Finding(
                f"a clock that differs from this machine's by at most {CLOCK_SECONDS // 60} minutes: "
                "certificates are valid for a time",
                f"{_utc(facts.clock)}; here it is {_utc(now)}",
                # A bare host has no service of time, without which timedatectl refuses the first.
                "set the one that is wrong: timedatectl set-ntp true; on a host without a time service: "
                f"date --utc --set='{_utc(now).removesuffix(' UTC')}'",
            )
        )
    if facts.gpu_trouble:
        found.append(module.trouble(facts.gpu_trouble, facts.nvidia))
    return found


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def plan_findings(
    plan: HostPlan, listed: Sequence[Component], facts: Facts, coming: Sequence[Need]
) -> list[Finding]:
    """What stands between this host and these components: ports, disk, memory, driver.

    `coming`: what is not on the host yet.
    """
    return [
        *_ports(listed, facts),
        *_disk(facts, coming),
        *_memory(listed, facts, coming),
        *drivers.findings(plan.drivers.known_by, listed, facts),
        *containers.findings(plan, facts),
    ]


def installing(facts: Facts, missing: Sequence[str]) -> list[Finding]:
    """What keeps the host from installing the packages that it lacks."""
    if not (missing and facts.noexec):
        return []
    return [
        Finding(
            f"{facts.noexec} on a file system that is not mounted noexec, to install {', '.join(missing)}",
            "it is mounted noexec: dpkg cannot run the scripts of packages there",
            "mount -o remount,exec /var, for the first run at least; or let apt do so (DPkg::Pre-Invoke)",
        )
    ]


def _ports(listed: Sequence[Component], facts: Facts) -> list[Finding]:
    # What other sites of nginx have is the door's own question.
    ours = {it.unit for it in listed if it.owns_unit}
    # A unit of ours that has to go is stopped first, such as the store's where a host is to pass on instead.
    gone = {it.path for one in listed for it in one.prerequisites if isinstance(it, Absent)}
    found = []
    for component, port in ((it, port) for it in listed for port in it.ports):
        for owner in {_who(it): it for it in facts.listeners if it.port == port.number}.values():
            if owner.unit in ours | {component.unit} or f"{paths.UNITS}/{owner.unit}" in gone:
                continue
            stop = containers.how_to_stop(owner)
            found.append(
                Finding(
                    f"port {port.number} free for {port.name}",
                    f"held by {_who(owner)}",
                    f"{stop}, or give {port.name} another port in the inventory's `{port.setting}`",
                )
            )
    return found


def _who(owner: Listener) -> str:
    if container := containers.of_listener(owner):
        return f"{owner.process} (process {owner.pid}, {container})"
    unit = f", unit {owner.unit}" if owner.unit not in {"", "?"} else ""
    return f"{owner.process} (process {owner.pid}{unit})"


def _disk(facts: Facts, coming: Sequence[Need]) -> list[Finding]:
    # Two of our directories on one file system share what is free there.
    need: dict[str, int] = {}
    free: dict[str, int] = {}
    what: dict[str, list[str]] = {}
    wanted: Counter[str] = Counter()
    for it in coming:
        wanted.update(it.disk)
    for disk in facts.disks:
        need[disk.mount] = need.get(disk.mount, 0) + wanted.get(disk.path, 0)
        free[disk.mount] = disk.free
        what.setdefault(disk.mount, []).extend([disk.path] if disk.path in wanted else [])
    return [
        Finding(
            f"{need[mount] / GB:.1f} GB free on {mount} for what this run adds",
            f"{free[mount] / GB:.1f} GB",
            f"free some space, or put a larger file system there; on it: {', '.join(what[mount])}",
        )
        for mount in need
        if need[mount] > free[mount]
    ]


def _memory(listed: Sequence[Component], facts: Facts, coming: Sequence[Need]) -> list[Finding]:
    most = max(coming, key=lambda it: it.memory, default=Need(""))
    need = sum(it.memory for it in listed) + most.memory
    if need <= facts.hardware.memory_bytes:
        return []
    what = f"serving, and {most.while_}" if most.memory else "serving"
    return [
        Finding(
            f"{need / GB:.1f} GB of memory for {what}",
            f"{facts.hardware.memory_bytes / GB:.1f} GB",
            "use a host with more memory",
        )
    ]
