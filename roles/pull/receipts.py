"""What hosts that pull have reported at the store, and whose silence or failure is an alarm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from engine import paths, remote
from engine.answers import data, understood
from engine.progress import duration, moment_of
from engine.refusal import refuse
from schemas.model import Puller

SCRIPTS = Path(__file__).parent / "scripts"
_PLANS = f"{paths.STORE}/tree/pull"
# A host that asks once a period, and waits a quarter of it at the most, has reported twice by then.
_PERIODS = 2


class _Reported(TypedDict):
    """What receipts.py says of one host."""

    receipt: dict[str, Any]
    at: int  # seconds since 1970, by the clock of the store's host; 0: never
    published: int


class _Answer(TypedDict):
    now: int
    hosts: dict[str, _Reported]


def pulled(pullers: Sequence[Puller]) -> list[dict[str, Any]]:
    """How each of these hosts stands by what it reported to the current host. Raises RefusedError."""
    if not pullers:
        return []
    arguments = (paths.RECEIPTS, _PLANS, *(it.name for it in pullers))
    answer = remote.ask(remote.python("receipts.py", "", SCRIPTS, arguments=arguments, modules=("form.py",)))
    if not answer.ok:
        raise refuse("receipts that can be read", answer.stderr.strip()[-500:] or "no answer")
    answered = understood("what hosts reported", answer.stdout, lambda text: data(text, _Answer))
    return [standing(it, answered["hosts"][it.name], answered["now"]) for it in pullers]


def standing(puller: Puller, answered: Mapping[str, Any], now: int) -> dict[str, Any]:
    """How a host stands: `alarm` is empty where it applied what it found, and reported that in time.

    A receipt is what somebody in the host's place has written: of any form, and believed no further.
    """
    receipt, at, published = answered["receipt"], answered["at"], answered["published"]
    applied = receipt.get("applied", 0)
    applied = applied if isinstance(applied, int) else 0
    result, why = str(receipt.get("result", "")), _found(str(receipt.get("why", "")))
    alarm = ""
    if not at:
        alarm = "has never reported" if published else ""
    elif now - at > _PERIODS * puller.every:
        alarm = f"has not reported since {moment_of(at)}, in two periods"
    elif result != "applied":
        alarm = f"{result or 'reported nonsense'}{f': {why}' if why else ''}"
    return {
        **{"host": puller.name, "result": result, "applied": applied, "published": published},
        **{"reported_at": at, "alarm": alarm, "stands": _stands(applied, published, at, now)},
    }


def _stands(applied: int, published: int, at: int, now: int) -> str:
    if not published:
        return "nothing is published for it yet"
    has = f"plan of {moment_of(applied)}" if applied else "no plan yet"
    newer = f", of {moment_of(published)} is the newest" if published > applied else ""
    return f"{has}{newer}; reported {f'{duration(now - at)} ago' if at else 'never'}"


def _found(why: str) -> str:
    """What was found, of a refusal; of something else the first line."""
    lines = [" ".join(it.split()) for it in why.splitlines() if it.strip()]
    found = next((it.removeprefix("found ") for it in lines if it.startswith("found ")), "")
    return (found or (lines[0] if lines else ""))[:200]
