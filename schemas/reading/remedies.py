"""Remedies for what a schema refuses: each that names a value was tried against the schema before."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from schemas.reading.document import Document, Keys, flow
from schemas.reading.problem import did_you_mean

_YES, _NO = ("true", "yes", "on", "1", "y"), ("false", "no", "off", "0", "n")


class Remedies:
    """What to do about a fault of one document, by the schema that it is checked against.

    `checker` is a validator of jsonschema's for the whole schema.
    """

    def __init__(self, document: Document, checker: Any) -> None:
        self._document = document
        self._checker = checker
        self._root: Mapping[str, Any] = checker.schema

    def of_key(self, keys: Keys, key: str, value: object, rule: Mapping[str, Any]) -> str:
        """For a key that is not known in the mapping at `keys`."""
        known = rule.get("properties", {})
        hint = self._key_meant(keys, key, value) or did_you_mean(key, known)
        suggested = hint.removeprefix('did you mean "').removesuffix('"?')
        # The right word with a value of another kind would be refused next.
        return "" if suggested in known and not self._like(known[suggested], value) else hint

    def of_value(self, keys: Keys, value: object, rule: Mapping[str, Any], kind: str) -> str:
        """For a value that breaks the rule of that kind (type, enum, …)."""
        # Nobody can type it, so it is part of no advice (CONTRIBUTING.md, D3).
        if isinstance(value, str) and any(not (it.isprintable() or it.isspace()) for it in value):
            return ""
        raw = self._document.raw.get(keys)
        hint = self._value_meant(keys, value, raw)
        if not hint and kind == "type":
            hint = self._trap(value, raw, rule)
        elif not hint and kind == "enum":
            hint = did_you_mean(value, [str(it) for it in rule["enum"]])
        return hint

    def _key_meant(self, keys: Keys, key: str, value: object) -> str:
        """What a document of this kind has for a key that is not known there; empty: nothing special."""
        return ""

    def _value_meant(self, keys: Keys, value: object, raw: str | None) -> str:
        """What a document of this kind has for a value that breaks its rule; empty: nothing special."""
        return ""

    def _sound(self, rule: Mapping[str, Any], value: object) -> bool:
        return bool(self._checker.evolve(schema=rule).is_valid(value))

    def _like(self, rule: Mapping[str, Any], value: object) -> bool:
        """Whether the rule has nothing against the value itself, whatever is inside it."""
        return all(error.absolute_path for error in self._checker.evolve(schema=rule).iter_errors(value))

    def _trap(self, value: Any, raw: str | None, rule: Mapping[str, Any]) -> str:
        """Where YAML made something else of a value than its author meant."""
        wants = rule.get("type")
        kinds = [wants] if isinstance(wants, str) else wants or []
        if value is None:
            return "give it a value, or remove the line"
        if "string" in kinds and isinstance(value, bool | int | float):
            return self._read_as(value, str(raw), rule)
        if "object" in kinds and isinstance(value, str | int | float):
            return self._inside(str(raw), rule)
        hint = ""
        if "array" in kinds and isinstance(value, str):
            hint = f"write a list: [{value}]" if self._sound(rule, [value]) else ""
        elif isinstance(value, list) and len(value) == 1 and self._sound(rule, value[0]):
            hint = f"write {flow(value[0])}"
        elif "boolean" in kinds and isinstance(value, str) and value.lower() in (*_YES, *_NO):
            hint = f"write {str(value.lower() in _YES).lower()} without quotes"
        return hint or self._number(value, kinds, rule)

    def _inside(self, raw: str, rule: Mapping[str, Any]) -> str:
        """The remedy for one value where a mapping is wanted: mostly its first setting is meant."""
        first = next(iter(rule.get("properties", {})), "")
        if first and self._sound(rule, {first: raw}):
            return f'write {{{first}: "{raw}"}}'
        return f"write {{{first}: [{raw}]}}" if first and self._sound(rule, {first: [raw]}) else ""

    def _read_as(self, value: bool | int | float, raw: str, rule: Mapping[str, Any]) -> str:
        """The remedy for text that YAML takes for a boolean or a number."""
        became = "a boolean" if isinstance(value, bool) else "a number"
        if became == "a number" and str(value) != raw:
            became = f"the number {value}"
        if not isinstance(value, bool) or self._sound(rule, raw):
            quoted = self._sound(rule, raw)
            return f'YAML reads {raw} as {became}: put it in quotes, "{raw}"' if quoted else ""
        words = rule.get("enum", ())
        if not value and "llm_off" in words:
            return f"YAML reads {raw} as a boolean: the profile without a model is llm_off"
        if not value and "none" in words:
            return f"YAML reads {raw} as a boolean: write none"
        return ""

    def _number(self, value: Any, kinds: list[str], rule: Mapping[str, Any]) -> str:
        """The remedy for a number that was written as text, or with leading zeros (YAML 1.1: octal)."""
        if not isinstance(value, str | float) or not {"integer", "number"} & set(kinds):
            return ""
        try:
            number = float(value)
        except ValueError:
            return ""
        if not math.isfinite(number):
            return ""
        meant = int(number) if number.is_integer() else number
        if not self._sound(rule, meant):
            return ""
        return f"write {meant} without quotes" if value == str(meant) else f"write {meant}"
