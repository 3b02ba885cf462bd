"""Going back: an earlier generation of a host, which it still has whole, serves again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from engine import outcome, remote
from engine.answers import data, understood
from engine.operations import Commands
from engine.paths import GENERATIONS
from engine.refusal import refuse
from engine.switch import elapsed, switch_job, switched


@dataclass(frozen=True)
class Kept:
    """A generation that the host keeps."""

    key: str
    name: str
    release: str  # of Venom, e.g. "v1.9.0"
    at: str  # when it was last switched to, UTC
    current: bool

    def __str__(self) -> str:
        return f"{self.key}  {self.at}  {self.name}{'  (serves now)' if self.current else ''}"


def kept_generations() -> list[Kept]:
    """The generations of the current host, the one that was switched to last first."""
    answer = remote.ask(remote.python("generations.py", GENERATIONS))
    if not answer.ok:
        raise refuse("a host that deploy/venom.py has provisioned", answer.stderr.strip() or "no answer")
    return understood("which generations it keeps", answer.stdout, read_generations)


class _Listed(TypedDict):
    key: str
    name: str
    release: str
    at: str
    current: bool


def read_generations(text: str) -> list[Kept]:
    """What the script printed. Raises what `answers.data` raises."""
    return [Kept(**it) for it in data(text, list[_Listed])]


def choose(generations: list[Kept], wanted: str) -> Kept:
    """The generation to go back to.

    The one whose key begins with `wanted`; the last one of the release `wanted`; the last but one without.
    Raises RefusedError, which lists what there is.
    """
    listed = "\n          ".join(str(it) for it in generations) or "none"
    if wanted:
        found = [it for it in generations if it.key.startswith(wanted)]
        found = found or [it for it in generations if it.release == wanted][:1]
        remedy = "name one of them: --data to=KEY, or the release: --data to=v1.9.0"
    else:
        found = [it for it in generations if not it.current][:1]
        remedy = "change the inventory and run deploy/venom.py"
    if len(found) != 1:
        raise refuse(f"one earlier generation{f' {wanted}' if wanted else ''}", listed, remedy)
    return found[0]


def current_key(generations: list[Kept]) -> str:
    """The key of the one that serves now; empty where none does."""
    return next((it.key for it in generations if it.current), "")


@operation()
def host_rolled_back(to: Kept, keep: int) -> Commands:
    """
    Switch to a generation that the host has.

    + to: which
    + keep: how many are kept
    """
    if to.current:
        host.noop(f"{to.name} serves")
        return
    yield FunctionCommand(_go_back, (to, keep), {})


def _go_back(state: Any, host: Any, to: Kept, keep: int) -> bool:
    path = f"{GENERATIONS}/{to.key}.json"
    job = switch_job(to.key, f"Back to {to.name}", path, keep, elapsed())
    if not switched(state, host, job):
        return False
    outcome.serves(
        host.name,
        f"serves {to.name} again (generation {to.key})\n"
        "the inventory was not changed: the next deploy/venom.py applies it",
    )
    return True
