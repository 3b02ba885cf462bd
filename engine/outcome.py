"""How a run ended, printed last: what each host serves now, or what failed there and what to do.

pyinfra reports failures when they happen; on a fleet that is pages before the end.
"""

from __future__ import annotations

import atexit
import signal
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import click
from pyinfra.api.state import BaseStateCallback, State, StateStage

from engine import remote
from engine.endings import WIDTH, Ending, folded

RUN_AGAIN = (
    "check that the host is up, and run again: finished work is kept, and jobs that still run there\n"
    "          are picked up"
)

_serves: dict[str, str] = {}
_changes: dict[str, dict[str, list[str]]] = {}
_reasons: dict[str, str] = {}
_held: dict[str, str] = {}
_besides: dict[str, list[str]] = {}
_failed_at: dict[str, str] = {}
_interrupted: list[int] = []
_more: list[Callable[[], Sequence[str]]] = []

_UNREACHED = (
    "was not reached: the reason is above, under Connecting to hosts\n"
    "do        check that it is up, and `address` and `ssh` in the inventory; then run again"
)


INTERRUPTED = (
    "the run was interrupted\n"
    "do        run again: finished work is kept, and jobs that still run on the host are picked up"
)


class _Failures(BaseStateCallback):
    """Records the operation at which a host's run ended."""

    @staticmethod
    def operation_host_error(
        state: State, host: Any, op_hash: str, retry_count: int = 0, max_retries: int = 0
    ) -> None:
        _failed_at[host.name] = op_hash
        if host.name not in _reasons and goes_down(host):
            _reasons[host.name] = (
                "required  the connection to the host, until the run has ended\n"
                "found     it was lost\n"
                f"do        {RUN_AGAIN}"
            )


def unreached(host: Any) -> str:
    """Why there is no connection to this host, and what to do."""
    trouble = getattr(host.connector, "trouble", None)
    return f"was not reached\n{trouble}" if trouble else _UNREACHED


def goes_down(host: Any) -> bool:
    """Whether the connection is gone, or ends in a moment: a host that goes down fails the command first."""
    for _ in range(10):
        if remote.lost(host):
            return True
        time.sleep(0.1)
    return False


def serves(host: str, text: str) -> None:
    """Record what `host` serves now."""
    _serves[host] = text


def did(host: str, what: str, *things: str) -> None:
    """Record a change of `host`, e.g. what="started", things=("Backend", "UI")."""
    recorded = _changes.setdefault(host, {}).setdefault(what, [])
    recorded += [it for it in things if it not in recorded]


def adds(host: str, text: str) -> None:
    """Record what the operator should know of `host` besides, however the run ends there."""
    texts = _besides.setdefault(host, [])
    if text not in texts:
        texts.append(text)


def because(host: str, text: str) -> None:
    """Record why `host` ends here; the operation that fails with it is recorded by itself."""
    _reasons[host] = text


def held_back(host: str, text: str) -> None:
    """Record why `host` stays as it was although nothing failed there."""
    _held[host] = text


def ends_with(more: Callable[[], Sequence[str]]) -> None:
    """Print these lines last of all: a headline and what stands below it, or none."""
    _more.append(more)


def in_a_line(state: State, host: str) -> str:
    """How the run ended on `host`, for its audit log."""
    if host in _held:
        return _held[host]
    if host in _failed_at:
        lines = [" ".join(it.split()) for it in _reasons.get(host, "").splitlines() if it.strip()]
        # What comes after two lines is a remedy or a log.
        return "; ".join([f"failed at {_operation(state, _failed_at[host])}", *lines[:2]])
    return _serves.get(host, "done").partition("\n")[0]


def _operation(state: State, op_hash: str) -> str:
    return ", ".join(sorted(state.get_op_meta(op_hash).names))


def refused(state: State, host: str) -> None:
    """Record that `host` is refused: a dry run, too, ends with a status that is not 0."""
    state.failed_hosts.add(state.inventory.get_host(host))


def end(text: str, status: int) -> NoReturn:
    """End a run that makes no changes, with a status of its own: pyinfra knows 0 and 1 only.

    Called before pyinfra asks whether to make changes. `text` is all that stands on standard output.
    """
    click.echo(err=True)
    click.echo(text)
    sys.stdout.flush()
    # gevent carries it from a host's greenlet to pyinfra, which closes the connections.
    sys.exit(status)


def print_at_the_end(state: State) -> None:
    """Print the summary when the process ends. Each host of a run may ask for it."""
    if not any(isinstance(handler, _Failures) for handler in state.callback_handlers):
        state.add_callback_handler(_Failures())  # type: ignore[no-untyped-call]
        atexit.register(_print_summary, state)
        signal.signal(signal.SIGINT, lambda number, frame: _interrupt(state, number))


def _interrupt(state: State, number: int) -> NoReturn:
    """End the run for Ctrl-C, at once and with the status that a shell expects.

    pyinfra itself would say 0, and wait for what every host is at before it disconnects.
    """
    _interrupted.append(number)
    if state.pool is not None:
        state.pool.kill(block=False)
    sys.exit(128 + number)


def _print_summary(state: State) -> None:
    if state.current_stage < StateStage.Execute:
        return  # --dry: nothing has ended, and what is refused was reported already
    lines = [click.style("--> In the end:", bold=True)]
    for names, text, color in folded(_endings(state)):
        lines += _block(names, text, color)
    for more in _more:
        first, *others = [*more(), ""]
        lines += [click.style(f"--> {first}", bold=True), *others[:-1]] if first else []
    click.echo("\n".join(lines), err=True)
    sys.stderr.flush()


def _endings(state: State) -> list[Ending]:
    """How each host ended: those that failed first, then those that were held back, then those that serve."""
    failed = sorted(state.failed_hosts, key=lambda host: str(host.name))
    served = sorted(host.name for host in state.activated_hosts - state.failed_hosts)
    return [
        *(_of_failed(state, host) for host in failed if host.name not in _held),
        *(_of_held(host.name) for host in failed if host.name in _held),
        *(_of_served(name) for name in served),
    ]


def _of_failed(state: State, host: Any) -> Ending:
    done = made(_changes.get(host.name, {}))
    return Ending(host.name, "red", _failure(state, host), done, _besides.get(host.name, []))


def _of_held(name: str) -> Ending:
    return Ending(name, "yellow", _held[name], made(_changes.get(name, {})), _besides.get(name, []))


def _of_served(name: str) -> Ending:
    text = INTERRUPTED if _interrupted else _serves.get(name, "serves as before")
    return Ending(name, "green", text, _changes.get(name, {}), _besides.get(name, []))


def made(done: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """Of what a run did on a host what is still there where its switch is not."""
    return {what: it for what, it in done.items() if what == "made"}


def _failure(state: State, host: Any) -> str:
    op_hash = _failed_at.get(host.name)
    if op_hash is None:
        return unreached(host)
    reason = _reasons.get(host.name)
    if reason is None:
        done = state.get_op_data_for_host(host, op_hash).operation_meta
        reason = "\n".join((done.stderr_lines or done.stdout_lines)[-15:])
    return f"failed at: {_operation(state, op_hash)}\n{reason}"


def _block(names: Sequence[str], text: str, color: str) -> list[str]:
    first, *others = text.splitlines() or [""]
    # Of many hosts the names are lines of their own.
    *above, last = textwrap.wrap(", ".join(names), WIDTH, break_long_words=False, break_on_hyphens=False)
    head = "\n     ".join([*(click.style(it, color) for it in above), click.style(last, color)])
    return [f"    [{head}] {first}", *(f"        {line}" for line in others)]
