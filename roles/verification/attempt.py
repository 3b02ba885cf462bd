"""Trying one thing: whatever happens becomes a check, with what was expected, found, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import gevent
import requests

from roles.verification.acceptance import FAILED, PASSED, SKIPPED, Check, Evidence

# A try returns what it found, or that and what shows it. It raises NotSo or Skip, or fails by itself.
Found = str | tuple[str, Sequence[Evidence]]
Try = Callable[[], Found]

_PATIENCE = 60  # seconds for whatever sets no limit of its own


class NotSo(Exception):
    """It is not as expected: what was found instead, and what shows it."""

    def __init__(self, found: str, *evidence: Evidence) -> None:
        self.evidence = evidence
        super().__init__(found)


class Skip(Exception):
    """It cannot be tried here, or says nothing about this host: why."""


def attempt(name: str, title: str, expected: str, try_it: Try, *, patience: float = _PATIENCE) -> Check:
    """Try it. `patience`: seconds after which it counts as failed, whatever it waits for."""
    begun = time.monotonic()
    result, evidence = FAILED, tuple[Evidence, ...]()
    try:
        with gevent.Timeout(patience, TimeoutError(f"no end after {patience:.0f} s")):
            answer = try_it()
        found, evidence = (answer, ()) if isinstance(answer, str) else (answer[0], tuple(answer[1]))
        result = PASSED
    except Skip as why:
        result, found = SKIPPED, str(why)
    except NotSo as what:
        found, evidence = str(what), what.evidence
    except Exception as error:
        found = in_words(error)
    return Check(name, title, result, expected, found, round(time.monotonic() - begun, 3), evidence)


def skipped(name: str, title: str, expected: str, why: str) -> Check:
    """A check that is not tried."""
    return Check(name, title, SKIPPED, expected, why)


def with_evidence(check: Check, *evidence: Evidence) -> Check:
    """The same with more to show."""
    return replace(check, evidence=(*check.evidence, *evidence))


def in_words(error: Exception) -> str:
    """What went wrong as a stranger understands it."""
    match error:
        case requests.Timeout():
            return "no answer in time"
        case requests.exceptions.SSLError():
            return f"TLS failed: {_root(error)}"
        case requests.ConnectionError():
            return f"nobody answers: {_root(error)}"
        case KeyError():
            return f"the answer has no {error}"
    return f"{error}" or type(error).__name__


def _root(error: BaseException) -> str:
    """The words of what lies at the bottom of it."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error.args[-1] if error.args else type(error).__name__)
