"""Installing a driver on a host: its files and packages, one reboot, and the run that goes on by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import ctx_config, host

from engine import outcome, remote
from engine.observation import Observed
from engine.operations import Commands, fail, log_line, resources_converged
from engine.refusal import Finding
from engine.resources import Prerequisite

SCRIPTS = Path(__file__).parent / "scripts"
REBOOT_SECONDS = 900
_BOOT = StringCommand("cat", "/proc/sys/kernel/random/boot_id")
# In a second: the answer comes first.
_GO_DOWN = StringCommand(
    "systemd-run --quiet --on-active=1 --timer-property=AccuracySec=100ms systemctl reboot"
)


@operation()
def driver_installed(resources: Sequence[Prerequisite], observed: Observed) -> Commands:
    """
    Install the driver.

    + resources: what it is
    + observed: what the host has
    """
    if not any(it.differs(observed) for it in resources):
        host.noop("the driver is installed")
        return
    yield log_line("the driver: its module is built for each kernel, which takes minutes")
    # All packages, if one lacks: the kernel and its headers must be of one version.
    yield from resources_converged._inner(resources=resources, observed=observed)
    # It holds nouveau, too, which begins before anything of /etc is read.
    yield StringCommand("update-initramfs -u -k all >/dev/null 2>&1 || true")


def _built(state: Any, host: Any) -> bool:
    answer = remote.ask(remote.shell("built.sh", folder=SCRIPTS))
    if not answer.stdout.strip():
        return answer.ok
    kernel, *errors = answer.stdout.splitlines()
    found = "\n          ".join([f"none for {kernel}", *errors])
    remedy = (
        f"on the host: apt-get install linux-headers-{kernel}; dkms autoinstall -k {kernel};\n"
        "          or remove that kernel; then run again"
    )
    return fail(state, host, Finding("a module of NVIDIA's for the kernel that boots next", found, remedy))


@operation()
def host_rebooted(asked: bool, branch: str) -> Commands:
    """
    Reboot the host, once, and wait until it answers again; or end there with what is left to do.

    Before that its module must have been built for the kernel that boots next.

    + asked: whether the operator lets it reboot
    + branch: of the driver that is loaded then
    """
    yield FunctionCommand(_built, (), {})
    if not asked or remote.here(host):
        why = "this run would end with its machine" if asked else "no reboot was asked for"
        yield FunctionCommand(_left, (branch, why), {})
        return
    yield log_line("reboots, and is awaited")
    yield FunctionCommand(_reboot, (), {})


def _left(state: Any, host: Any, branch: str, why: str) -> bool:
    both = "" if remote.here(host) else "; or run again with --data reboot=yes, which does both"
    lacks = Finding(
        f"a reboot, after which the host uses its card by driver {branch}",
        f"the driver is installed, and {why}",
        f"reboot the host and run again{both}",
    )
    return fail(state, host, lacks)


def _reboot(state: Any, host: Any) -> bool:
    before = remote.ask(_BOOT)
    begun = time.monotonic()
    if not before.ok or not (asked := remote.ask(_GO_DOWN)).ok:
        found = (asked if before.ok else before).stderr.strip()
        return fail(state, host, Finding("a host that reboots when systemd is told to", found))
    while time.monotonic() - begun < REBOOT_SECONDS:
        time.sleep(2)
        host.disconnect()
        host.connect(show_errors=False)
        if not host.connected:
            continue
        now = remote.ask(_BOOT)
        if now.ok and now.stdout != before.stdout:
            outcome.did(host.name, "rebooted", f"{time.monotonic() - begun:.0f} s")
            return True
    gone = Finding(
        f"the host, at most {REBOOT_SECONDS // 60} minutes after its reboot",
        "it does not answer, or did not go down",
        "look at its console; then run again",
    )
    return fail(state, host, gone)


# Not in_op: what goes on is operations, too (pyinfra's python.call does the same).
@operation(is_idempotent=False, _set_in_op=False)
def run_continued(run: Callable[[], None]) -> Commands:
    """
    Go on with a host whose cards can be asked now: what is planned for it depends on them.

    + run: what is done on a host otherwise
    """
    yield FunctionCommand(_go_on, (run,), {})


def _go_on(state: Any, host: Any, run: Callable[[], None]) -> bool:
    with ctx_config.use(state.config.copy()):
        run()
    return True
