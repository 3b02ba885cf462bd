"""Going back: an earlier generation of a host, which it still has whole, serves again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict

from pyinfra.api.command import FunctionCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from engine import outcome, remote
from engine.answers import data, understood
from engine.operations import Commands
from engine.paths import GENERATIONS, STATE
from engine.progress import size
from engine.refusal import refuse
from engine.switch import elapsed, switch_job, switched

# The scripts that the questions about copies of data import.
_COPIES = ("switch_files.py", "snapshots.py")


@dataclass(frozen=True)
class Kept:
    """A generation that the host keeps."""

    key: str
    name: str
    release: str  # of Venom, e.g. "v1.9.0"
    at: str  # when it was last switched to, UTC
    current: bool
    data: str  # when its data were copied aside, UTC, e.g. "20261128T091200Z"; empty: they were not

    def __str__(self) -> str:
        serves = "  (serves now)" if self.current else ""
        data = f"  with data of {self.data_at}" if self.data else ""
        return f"{self.key}  {self.at}  {self.name}{serves}{data}"

    @property
    def data_at(self) -> str:
        """When its data were copied aside, for the operator."""
        made = datetime.strptime(self.data, "%Y%m%dT%H%M%SZ")
        return f"{made:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True)
class Newer:
    """What was written since the data of a generation were copied aside."""

    files: int
    size: int  # bytes
    newest: Sequence[tuple[int, int, str]]  # seconds since 1970, bytes, name in the folder

    def __str__(self) -> str:
        if not self.files:
            return "nothing was written since"
        listed = [
            f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC  {name}" for at, _, name in self.newest
        ]
        more = [f"and {self.files - len(listed)} more"] if self.files > len(listed) else []
        files = "1 file was" if self.files == 1 else f"{self.files} files were"
        return "\n    ".join(
            [f"{files} written since ({size(self.size)}), and would be out of use:", *listed, *more]
        )


def kept_generations() -> list[Kept]:
    """The generations of the current host, the one that was switched to last first."""
    answer = remote.ask(remote.python("generations.py", GENERATIONS, modules=_COPIES))
    if not answer.ok:
        raise refuse("a host that deploy/venom.py has provisioned", answer.stderr.strip() or "no answer")
    return understood("which generations it keeps", answer.stdout, read_generations)


class _Listed(TypedDict):
    key: str
    name: str
    release: str
    at: str
    current: bool
    data: str


class _Newer(TypedDict):
    files: int
    bytes: int
    newest: list[list[int | str]]


def read_generations(text: str) -> list[Kept]:
    """What the script printed. Raises what `answers.data` raises."""
    return [Kept(**it) for it in data(text, list[_Listed])]


def written_since(moment: str) -> Newer:
    """What would be out of use if data of that moment were put back on the current host.

    `moment`: UTC, ISO 8601, with or without its separators.
    """
    arguments = [moment.replace("-", "").replace(":", "")]
    answer = remote.ask(remote.python("newer.py", STATE, arguments=arguments, modules=_COPIES))
    if not answer.ok:
        raise refuse("a host that lists its data", answer.stderr.strip() or "no answer")
    return understood("what was written since", answer.stdout, read_newer)


def read_newer(text: str) -> Newer:
    """What the script printed. Raises what `answers.data` raises, or ValueError."""
    it = data(text, _Newer)
    return Newer(
        it["files"], it["bytes"], [(int(at), int(size), str(name)) for at, size, name in it["newest"]]
    )


def check_data(to: Kept, generations: list[Kept]) -> None:
    """Raise RefusedError where the host has no copy of the generation's data."""
    if to.data:
        return
    listed = "\n          ".join(str(it) for it in generations if it.data) or "no generation with data"
    raise refuse(
        f"a copy of the data of {to.key}, which a switch to another Venom makes",
        listed,
        "go back without with-state: the data stay as they are now",
    )


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
def host_rolled_back(to: Kept, keep: int, with_state: bool) -> Commands:
    """
    Switch to a generation that the host has.

    + to: which
    + keep: how many are kept
    + with_state: put back what its Venom had written, too
    """
    if to.current and not with_state:
        host.noop(f"{to.name} serves")
        return
    yield FunctionCommand(_go_back, (to, keep, with_state), {})


def _go_back(state: Any, host: Any, to: Kept, keep: int, with_state: bool) -> bool:
    path = f"{GENERATIONS}/{to.key}.json"
    job = switch_job(to.key, f"Back to {to.name}", path, keep, elapsed(), data=to.key if with_state else "")
    if not switched(state, host, job):
        return False
    its_data = f", with its data of {to.data_at}" if with_state else ""
    outcome.serves(
        host.name,
        f"serves {to.name} again (generation {to.key}){its_data}\n"
        "the inventory was not changed: the next deploy/venom.py applies it",
    )
    return True
