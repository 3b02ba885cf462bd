"""Inheritance: one host's settings from defaults, groups and its own, with the origin of each value."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from schemas.reading.document import Document, Keys, dotted
from schemas.reading.problem import Problem
from schemas.reading.validate import schema


@dataclass
class Settings:
    """What holds for one host, and where in the document each value was written."""

    host: str
    document: Document
    data: dict[str, Any] = field(default_factory=dict)
    origins: dict[Keys, Keys] = field(default_factory=dict)

    def get(self, *keys: str, default: Any = None) -> Any:
        """The value at `keys`, or `default` where nothing says anything about it."""
        value: Any = self.data
        for key in keys:
            if not isinstance(value, dict) or key not in value:
                return default
            value = value[key]
        return value

    def written(self, *keys: str) -> bool:
        """Whether the file says anything of it for this host, be that sound or not."""
        own = self.document.data["hosts"][self.host] or {}
        listed = own.get("groups") if isinstance(own, dict) else None
        groups = [("groups", it) for it in listed or () if isinstance(it, str)]
        return any((*layer, *keys) in self.document.lines for layer in self._layers(groups))

    def _layers(self, groups: list[tuple[str, str]]) -> list[Keys]:
        return [("defaults",), *groups, ("hosts", self.host)]

    def origin(self, *keys: str | int) -> Keys:
        """Where the value, or what is around it, was written: the host itself at the least."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self.origins:
                return (*self.origins[keys[:length]], *keys[length:])
        return ("hosts", self.host, *keys)

    def own(self, *keys: str) -> bool:
        """Whether the host itself says it, and not its groups or the defaults."""
        return self.origins.get(keys, ())[:2] == ("hosts", self.host)

    def problem(self, keys: Keys, found: str, allowed: str, hint: str = "") -> Problem:
        """A fault of the declaration, reported where it was written: once, however many inherit it."""
        return self.document.problem(self.origin(*keys), found, allowed, hint)

    def place(self, keys: Keys) -> tuple[int, str]:
        """Line and path for a fault of this host alone, e.g. "hosts.a.model (defaults.model)"."""
        origin, own = self.origin(*keys), ("hosts", self.host, *keys)
        path = dotted(own) if origin == own else f"{dotted(own)} ({dotted(origin)})"
        return self.document.line(origin), path


def settings_of(document: Document, data: dict[str, Any], host: str) -> Settings:
    """The host's settings: defaults, then its groups in order, then its own."""
    result = Settings(host, document)
    own = data["hosts"][host] or {}
    layers: list[Keys] = [("defaults",)]
    layers += [("groups", group) for group in own.get("groups", ())]
    for keys in [*layers, ("hosts", host)]:
        layer: Any = data
        for key in keys:
            layer = layer.get(key) if isinstance(layer, dict) else None
        if isinstance(layer, dict):
            _merge(result, result.data, layer, (), keys)
    return result


def _merge(result: Settings, into: dict[str, Any], layer: dict[str, Any], at: Keys, origin: Keys) -> None:
    for key, value in layer.items():
        here, there = (*at, key), (*origin, key)
        if isinstance(value, dict) and isinstance(into.get(key), dict) and here not in _whole():
            _merge(result, into[key], value, here, there)
            continue
        result.origins = {k: v for k, v in result.origins.items() if k[: len(here)] != here}
        into[key] = deepcopy(value)
        _set_origins(result, value, here, there)


def _set_origins(result: Settings, value: Any, here: Keys, there: Keys) -> None:
    result.origins[here] = there
    if isinstance(value, dict):
        for key, item in value.items():
            _set_origins(result, item, (*here, key), (*there, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _set_origins(result, item, (*here, index), (*there, index))


def _whole() -> set[Keys]:
    """Settings that are one choice each: the closest place that names one decides all of it."""
    definitions = schema("inventory")["$defs"]
    return {(name,) for name, rule in definitions.items() if rule.get("x-merge") == "whole"}
