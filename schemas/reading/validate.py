"""Validates a document against one of the JSON Schemas here and reports the faults in plain words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from schemas.reading.document import Document, Keys, dotted, shown
from schemas.reading.problem import Problem, listed
from schemas.reading.remedies import Remedies

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
# Of several faults of one value only the first is reported.
_ORDER = ("type", "enum", "pattern")
_SCHEMAS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Validated:
    """What is left of the data without the faulty values, and the faults."""

    data: Any
    problems: list[Problem]


class Sound(Protocol):
    """What was found sound before, by key: a set of them, or what outlives the process."""

    def __contains__(self, key: str, /) -> bool: ...

    def add(self, key: str, /) -> object: ...


@cache
def schema(name: str) -> dict[str, Any]:
    """The JSON Schema `name` (inventory, pins, contract). Do not change what it gives."""
    folder = _SCHEMAS if name == "inventory" else _SCHEMAS / "data"
    loaded: dict[str, Any] = json.loads((folder / f"{name}.schema.json").read_text(encoding="utf-8"))
    return loaded


def checker_of(against: dict[str, Any]) -> Any:
    """A validator of jsonschema's for the schema."""
    from schemas.reading.checker import Checker  # noqa: PLC0415 - slow to import: see there

    return Checker(against)


def without_required(whole: dict[str, Any]) -> dict[str, Any]:
    """The same schema for a part: nothing in it is mandatory."""

    def strip(node: Any) -> Any:
        if isinstance(node, dict):
            return {
                key: strip(value)
                for key, value in node.items()
                if not (key == "required" and isinstance(value, list))
            }
        return [strip(item) for item in node] if isinstance(node, list) else node

    stripped: dict[str, Any] = strip(whole)
    return stripped


def validate(
    document: Document,
    against: dict[str, Any],
    remedies_for: type[Remedies] = Remedies,
    sound: Sound | None = None,
) -> Validated:
    """All faults of the document, and its data without them (so that further checks can go on).

    What is in `sound` is not checked again, and what has no fault is added to it.
    """
    data = deepcopy(document.data)
    key = "" if sound is None else _key(document.data, against)
    if sound is not None and key in sound:
        return Validated(data, [])
    problems: list[Problem] = []
    reported: set[Keys] = set()
    checker = checker_of(against)
    remedies = remedies_for(document, checker)
    errors = sorted(checker.iter_errors(document.data), key=_rank)
    for error in errors:
        for keys, problem, faulty in _translate(document, error, remedies):
            if keys in reported and error.validator not in ("required", "minProperties"):
                continue
            reported.add(keys)
            problems.append(problem)
            if faulty:
                _remove(data, keys)
    if sound is not None and not problems:
        sound.add(key)
    return Validated(data, list(dict.fromkeys(problems)))


def _key(data: object, against: dict[str, Any]) -> str:
    """Of everything that decides whether the data are sound."""
    recipe = Path(__file__).with_name("checker.py").read_text(encoding="utf-8"), version("jsonschema")
    return hashlib.sha256(repr((data, against, recipe)).encode()).hexdigest()


def _rank(error: ValidationError) -> int:
    kind = str(error.validator)
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _translate(
    document: Document, error: ValidationError, remedies: Remedies
) -> Iterator[tuple[Keys, Problem, bool]]:
    """The way to each faulty value, its problem, and whether the value is to be left out."""
    keys: Keys = tuple(error.absolute_path)
    rule = error.schema if isinstance(error.schema, dict) else {}
    kind = str(error.validator)
    value: Any = error.instance
    limit: Any = error.validator_value
    if "propertyNames" in error.absolute_schema_path:
        at = (*keys, str(value))
        allowed = rule.get("x-form", "a name of another form")
        yield at, document.problem(at, f'the name "{value}"', allowed), True
        return
    if kind == "additionalProperties":
        known = list(rule.get("properties", {}))
        for key in value:
            if key not in known:
                at = (*keys, key)
                hint = remedies.of_key(keys, key, value[key], rule)
                yield at, document.problem(at, f'the key "{key}"', listed(known), hint), True
        return
    if kind == "required":
        for key in limit:
            if key not in value:
                at = (*keys, key)
                where = dotted(keys) or "the file"
                yield at, document.problem(at, "nothing", f"{where} needs {key}"), False
        return
    found = document.written(keys) if not rule.get("x-secret") else _without_value(value, rule["x-secret"])
    allowed = _expected(kind, value, limit, rule)
    hint = remedies.of_value(keys, value, rule, kind)
    yield keys, document.problem(keys, found, allowed, hint), kind != "minProperties"


def _expected(kind: str, value: Any, limit: Any, rule: dict[str, Any]) -> str:
    """What is allowed, in words."""
    if "enum" in rule:
        return listed(str(v) for v in rule["enum"])
    if "x-form" in rule:
        return str(rule["x-form"])
    if kind == "type":
        kinds = [limit] if isinstance(limit, str) else limit
        return " or ".join(dict.fromkeys(_KINDS[k] for k in kinds if k != "integer" or len(kinds) == 1))
    if kind in ("minimum", "maximum"):
        low, high = rule.get("minimum"), rule.get("maximum")
        return f"{low} to {high}" if low is not None and high is not None else f"{kind} {limit}"
    return {
        "minLength": "text that is not empty",
        "exclusiveMinimum": f"more than {limit}",
        "maxLength": f"at most {limit} characters",
        "minItems": f"at least {limit}",
        "minProperties": f"at least {limit} entry",
        "uniqueItems": "each entry once",
        "pattern": f"the form {limit}",
    }.get(kind, f"{kind} {limit}")


def _without_value(value: object, words: str | bool) -> str:
    """What to show of something that may be a secret which was written where its reference belongs.

    `words`: the rule's own, where it is no reference that belongs there.
    """
    text = words if isinstance(words, str) else "text that is no reference (not shown)"
    return text if isinstance(value, str) else shown(value)


def _remove(data: Any, keys: Keys) -> None:
    """Takes the value at `keys` out of `data`: an entry of a list with its whole list."""
    while keys and isinstance(keys[-1], int):
        keys = keys[:-1]
    for key in keys[:-1]:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            return
    if keys and isinstance(data, dict):
        data.pop(keys[-1], None)
