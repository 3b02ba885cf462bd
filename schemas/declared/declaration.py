"""What the inventory says of a host, as flat settings in the inventory's own words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from schemas.declared.host import DeclaredHost
from schemas.reading.validate import schema

# How a host is reached, what it is grouped by and how it is judged: no part of what is applied to it.
_NOT_APPLIED = {"address", "groups", "ssh", "budgets"}


def declaration(declared: DeclaredHost) -> dict[str, Any]:
    """Dotted setting → value, for all that is written of the host, inherited or its own.

    Secrets stand as the references that are shown of them. What nobody wrote is left out.
    """
    written = {name: value for name, value in declared.to_json().items() if name not in _NOT_APPLIED}
    return dict(sorted(_flat(written), key=lambda it: _place(it[0])))


def declared_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """Dotted setting → "old -> new" for each that differs between two declarations, in the schema's order.

    A default that somebody writes out is no change.
    """
    found = {}
    for name in sorted({*before, *after}, key=_place):
        old, new = (it.get(name, _default(name, it)) for it in (before, after))
        if _word(old) != _word(new):
            found[name] = " -> ".join(
                _word(value) + (" (default)" if name not in it and value is not None else "")
                for it, value in ((before, old), (after, new))
            )
    return found


def _flat(settings: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{within}{name}.")
        elif value != []:
            yield f"{within}{name}", value


def _word(value: Any) -> str:
    """A value as one writes it in YAML."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(_word, value)) if isinstance(value, list) else str(value)


def _default(name: str, written: Mapping[str, Any]) -> Any:
    """What a setting is that nobody wrote; None where it has no default among what is written beside it."""
    around, _, _ = name.rpartition(".")
    beside = any(it.startswith(f"{around}.") for it in written)
    rule = _rules().get(name, {})
    # One choice of several settings (a release, or a tree): where another is written, this one is not meant.
    # And of what need not be there at all (clients of Ollama) nothing is meant before it is.
    optional = "." in around
    if around and beside != optional and (optional or _rules().get(around, {}).get("x-merge") == "whole"):
        return None
    return rule.get("default")


def _place(name: str) -> tuple[int, str]:
    """Where a setting stands in the schema; what bears a name of its own, as `environment.NAME`, by that."""
    known = name
    while known and known not in _rules():
        known = known.rpartition(".")[0]
    return [*_rules()].index(known) if known else len(_rules()), name


@cache
def _rules() -> dict[str, dict[str, Any]]:
    """Dotted setting → its rule, in the schema's order."""
    definitions = schema("inventory")["$defs"]

    def rules(properties: Mapping[str, Any], within: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, entry in properties.items():
            of = entry.get("$ref", "").rpartition("/")[2]
            rule = {**definitions.get(of, {}), **entry}
            yield f"{within}{name}", rule
            yield from rules(rule.get("properties", {}), f"{within}{name}.")

    return dict(rules(definitions["host"]["properties"], ""))
