"""Understanding what a host answered: as data of a known form, or as a refusal that quotes it.

No answer is trusted to have its form: files of ours on a host can be edited, tools differ, and a script
that meets what nobody thought of says something else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from typeguard import CollectionCheckStrategy, check_type

from engine.refusal import RefusedError, refuse

T = TypeVar("T")

_QUOTED = 120  # characters of an answer that are shown
_REMEDY = "check whether somebody edited files in /etc/venom there; run again; if it fails again, report it"


def understood(question: str, answer: str, parse: Callable[[str], T]) -> T:
    """What the host answered to `question` ("what it is"), as `parse` reads it.

    Raises RefusedError where that fails.
    """
    try:
        return parse(answer)
    except RefusedError:
        raise
    except Exception as error:  # whatever a reader does with what is no answer, a library's included
        raise _refused(question, answer, f"{type(error).__name__}: {error}") from None


def data(text: str, form: type[T]) -> T:
    """The JSON in a text, which must have the form. Raises ValueError or TypeCheckError where it has not."""
    return formed(json.loads(text), form)


def formed(value: object, form: type[T]) -> T:
    """The value, which must have the form. Raises TypeCheckError where it has not."""
    return check_type(value, form, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)


def known(document: Mapping[str, Any], form: type[Any]) -> dict[str, Any]:
    """What a TypedDict names of it: what other versions of ours left on a host may have more."""
    return {key: document[key] for key in form.__annotations__ if key in document}


def number(text: str) -> int:
    """A whole number in digits; 0 for no text. Raises ValueError for another one."""
    digits = text.removeprefix("-")
    if text and not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise ValueError(f"not a number: {text[:40]!r}")
    return int(text or 0)


def _refused(question: str, answer: str, why: str) -> Exception:
    text = " ".join(answer.split()) or "nothing"
    shown = text if len(text) <= _QUOTED else f"{text[: _QUOTED // 2]} … {text[-_QUOTED // 2 :]}"
    return refuse(
        f"an answer that can be understood, to the question {question}",
        f"{' '.join(why.split())[:200]}, in: {shown}",
        _REMEDY,
    )
