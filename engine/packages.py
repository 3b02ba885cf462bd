"""Debian packages: where they come from, the wait (with words) for another apt, and their installation."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyinfra.api.command import QuoteString, StringCommand

from engine import live, outcome, progress, remote
from engine.proxy import Way
from schemas.model import HostPlan

# A host that was just unpacked is often upgrading itself; that takes minutes.
WAIT_SECONDS = 900.0
POLL_SECONDS = 2.0
# What to do where the fleet's store lacks something.
FILL = "run over the store's host while that has the Internet: it fetches what is missing"
INSTALL_SECONDS = 3600
# How apt, dpkg and, for a module that it cannot build, DKMS begin what matters.
_COMPLAINTS = ("E: ", "dpkg: error", "Error! ", "Consult ", " No space", "N: ")


@dataclass(frozen=True)
class Holder:
    """Who holds a lock of apt's."""

    file: str
    pid: str
    process: str
    unit: str

    def __str__(self) -> str:
        unit = f", unit {self.unit}" if self.unit != "?" else ""
        return f"{self.process} (process {self.pid}{unit})"

    @property
    def remedy(self) -> str:
        """How to end it where it hangs."""
        stop = f"systemctl stop {self.unit}" if self.unit != "?" else f"kill {self.pid}"
        return f"wait until it ends, and run again; if it hangs, end it on the host: {stop}"


def origin_of(way: Way, plan: HostPlan, *, filled: bool = False) -> Mapping[str, str]:
    """Where a host's packages come from, as the variables of apt.sh: the proxy, and the fleet's store.

    The host that serves the store has them from elsewhere: it could serve nothing without them. `filled`:
    this run fills the store before the host installs.
    """
    store = None if plan.serves_store else plan.store
    first = {"VENOM_STORE": store.url} if store else {}
    closed = {"VENOM_CLOSED": "yes"} if store and store.closed else {}
    coming = {"VENOM_FILLED": "yes"} if store and filled else {}
    return {**way.variables, **first, **closed, **coming}


def with_sources(origin: Mapping[str, str], file: str, text: str) -> Mapping[str, str]:
    """The same for a host that is about to get this file of further sources (deb822); no text: none."""
    if not text:
        return origin
    # A variable is one line.
    return {**origin, "VENOM_SOURCES": file, "VENOM_SOURCES_TEXT": text.replace("\n", "\\n")}


def ask_apt(script: str, names: Sequence[str], origin: Mapping[str, str]) -> StringCommand:
    """A command that runs `script` behind apt.sh for these packages. `origin`: by `origin_of`."""
    lines = "".join(f"{name}={value}\n" for name, value in origin.items())
    text = f"{remote.script('apt.sh')}\n{script}"
    return StringCommand("sh", "-c", QuoteString(text), "sh", *map(QuoteString, names), _stdin=f"{lines}\n")


def holder() -> Holder | None:
    """Who holds a lock of apt's on the current host; None where nobody does, or nobody can say."""
    answer = remote.ask(StringCommand("perl", "-e", QuoteString(remote.script("apt_locks.pl"))))
    fields = answer.stdout.split()
    return Holder(*fields) if answer.ok and len(fields) == 4 else None


def install(host: Any, names: Sequence[str], origin: Mapping[str, str]) -> str | None:
    """Install the packages on the host, once no other apt is at work.

    Returns why it failed, or the empty string; None where the host is gone, which is reported by itself.
    """
    begun = time.monotonic()
    while who := holder():
        waited = time.monotonic() - begun
        if waited > WAIT_SECONDS:
            return busy(who, waited)
        live.report(host, f"packages: waiting for {who}, which holds {who.file}, {progress.duration(waited)}")
        time.sleep(POLL_SECONDS)
    answer = remote.ask(ask_apt(remote.script("install_packages.sh"), names, origin), INSTALL_SECONDS)
    if answer.ok:
        if complaint := _errors(answer):
            outcome.adds(host.name, f"the packages are installed, but apt complains:\n          {complaint}")
        return ""
    if outcome.goes_down(host):
        return None
    return (
        f"required  the Debian packages {' '.join(names)}\n"
        f"found     {_errors(answer) or answer.stderr.strip()[-500:] or 'apt failed'}\n"
        "do        repair it on the host (dpkg --configure --pending), and run again"
    )


def busy(who: Holder, seconds: float) -> str:
    """That the lock did not become free in so many seconds."""
    return (
        "required  no other apt at work: packages have to be installed\n"
        f"found     {who} has held {who.file} for {progress.duration(seconds)} or longer\n"
        f"do        {who.remedy}"
    )


def _errors(answer: remote.Answer) -> str:
    lines = [*answer.stdout.splitlines(), *answer.stderr.splitlines()]
    errors = [it for it in lines if it.startswith(_COMPLAINTS)]
    return "\n          ".join(dict.fromkeys(errors[-8:]))
