"""How the hosts of a run switch: one wave after the other, and nobody any more after a failure.

What must outlive a run is on the hosts. A host that has switched is as declared, so the next run goes on with
the others; what is kept here is only who tried in this run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyinfra.context import state as pyinfra_state

from engine import controller, outcome
from engine.command_line import command_line
from engine.component import Component
from engine.refusal import Finding, ends_the_run
from engine.switch import Chat, Watch
from schemas.declared.rollout import Rollout
from schemas.inventory import DeclaredHost
from schemas.model import HostPlan
from schemas.plan.rollout import CANARY, Wave, waves

QUESTION = "What is the capital of Poland? Answer with one word."
# A chat may take so many times its budget: the model has just been loaded.
_PATIENCE = 4


def gate_stops(
    rollout: Rollout, canary: Collection[str], tried: Collection[str], failed: Collection[str]
) -> str:
    """Why nobody else may switch; empty: they may.

    `tried`: who began to switch. `failed`: on whom the run has ended, for whatever reason. Of others than
    the canary only a switch that failed counts; a canary that did not even come to it proves nothing.
    """
    if lost := [it for it in canary if it in failed]:
        return f"{', '.join(lost)}, the canary, failed"
    lost = [it for it in tried if it in failed]
    if len(lost) > rollout.max_failures:
        more = f", and {rollout.max_failures} may" if rollout.max_failures else ""
        return f"{', '.join(lost)} failed{more}"
    return ""


@dataclass
class Run:
    """The switches of one run."""

    rollout: Rollout | None
    waves: tuple[Wave, ...]
    tried: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, rollout: Rollout | None, hosts: Sequence[str]) -> Run:
        """That of these hosts, in the inventory's order; without a rollout all are one wave."""
        return cls(rollout, waves(rollout, hosts) if rollout else (Wave("", tuple(hosts)),))

    def wave_of(self, name: str) -> str:
        """The name of a host's wave; empty where all switch at once."""
        return next(it.name for it in self.waves if name in it.hosts)

    def turn(self, wave: Wave, name: str) -> Turn:
        """Whether a host switches in this wave."""
        return Turn(self, name, now=name in wave.hosts)

    def others(self, name: str) -> list[str]:
        """The other hosts of the run."""
        return [it for wave in self.waves for it in wave.hosts if it != name]

    def stopped(self, failed: Collection[str]) -> str:
        """Why nobody else may switch; empty: they may."""
        canary = [name for it in self.waves if it.name == CANARY for name in it.hosts]
        return gate_stops(self.rollout, canary, self._ordered(self.tried), failed) if self.rollout else ""

    def _ordered(self, names: Collection[str]) -> list[str]:
        """Hosts in the order of their waves."""
        return [name for it in self.waves for name in it.hosts if name in names]

    def ending(self, failed: Collection[str], inventory: str) -> list[str]:
        """Who has what, and how to go on or back; nothing where the run was not stopped.

        `inventory`: as the operator named it.
        """
        why = self.stopped(failed)
        if not why or not (self.tried or self.held):
            return []
        switched = self._ordered([it for it in self.tried if it not in failed])
        rows = [
            ("switched", ", ".join(switched) or "nobody"),
            ("failed", ", ".join(self._ordered([it for it in failed if it not in self.held]))),
            ("not tried", ", ".join(self._ordered(self.held))),
            ("go on", "repair what failed and run again: the others follow, one wave after the other"),
        ]
        if switched:
            limits = " ".join(f"--limit {it}" for it in switched)
            rows.append(("go back", f"pyinfra {limits} {inventory} deploy/rollback.py"))
        return [f"The rollout stopped: {why}", *(f"    {name:<9} {text}" for name, text in rows if text)]


@dataclass(frozen=True)
class Turn:
    """One host's turn in one wave."""

    run: Run
    name: str
    now: bool

    def enter(self) -> str:
        """Begin to switch. Returns why it must not; empty: it may."""
        if why := self.run.stopped(_failed()):
            self.run.held.append(self.name)
            return f"not switched: {why}"
        self.run.tried.append(self.name)
        return ""


def run_of(declared: DeclaredHost) -> Run:
    """That of all hosts of this run, which are in one inventory with this one.

    Raises DeployError, for all hosts at once, where pyinfra is to let no host wait for another.
    """
    line = command_line()
    if declared.rollout and (line.serial or line.no_wait):
        option = "--serial" if line.serial else "--no-wait"
        found = f"{option}, with rollout in the inventory"
        raise ends_the_run(Finding("hosts that wait for the wave before them", found, f"leave out {option}"))
    return controller.once(("rollout",), lambda: _begun(declared.rollout))


def _begun(rollout: Rollout | None) -> Run:
    inventory = command_line().inventory
    hosts = [it for it in pyinfra_state.inventory if pyinfra_state.is_host_in_limit(it)]
    run = Run.of(rollout, [it.data.declared.name for it in hosts])
    outcome.ends_with(lambda: run.ending(_failed(), inventory))
    return run


def _failed() -> list[str]:
    """The hosts on which the run has ended, by name."""
    return sorted(_name(it) for it in pyinfra_state.failed_hosts)


def _name(one: Any) -> str:
    return str(one.data.declared.name)


def watch_of(declared: DeclaredHost, plan: HostPlan, listed: Iterable[Component]) -> Watch | None:
    """What a switch of this host must stand: None where the fleet switches at once."""
    if declared.rollout is None:
        return None
    backend = next((it.service for it in listed if it.name == "backend" and it.service), None)
    chat = None
    if plan.model and backend:
        url = f"http://127.0.0.1:{plan.backend.port}/api/v1/tasks"
        patience = int(_PATIENCE * declared.budgets["chat_seconds"])
        chat = Chat(url, QUESTION, backend.unit, patience)
    return Watch(declared.rollout.pause, chat)
