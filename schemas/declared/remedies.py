"""Remedies for an inventory: what its author may have meant, by the habits of those who write such files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.data.pinned import pinned
from schemas.declared.habits import key_meant
from schemas.declared.spellings import value_meant
from schemas.reading.document import Document, Keys
from schemas.reading.remedies import Remedies
from schemas.reading.validate import checker_of, schema


class InventoryRemedies(Remedies):
    """What to do about a fault of an inventory."""

    def _key_meant(self, keys: Keys, key: str, value: object) -> str:
        return key_meant(keys, key, value, self.accepts) or self._elsewhere(key)

    def _value_meant(self, keys: Keys, value: object, raw: str | None) -> str:
        return value_meant(keys, value, raw, self.accepts)

    def accepts(self, setting: str, value: object) -> bool:
        """Whether a setting (dotted, from the host) may have the value."""
        rule, known = self._rule(setting), pinned(setting)
        return rule is not None and self._sound(rule, value) and (not known or value in known)

    def knows(self, setting: str) -> bool:
        """Whether there is such a setting (dotted, from the host)."""
        return self._rule(setting) is not None

    def _rule(self, setting: str) -> Mapping[str, Any] | None:
        rule: Any = {"$ref": "#/$defs/host"}
        for name in setting.split("."):
            around = self._resolved(rule)
            rule = around.get("properties", {}).get(name) or around.get("additionalProperties")
            if not isinstance(rule, dict):
                return None
        return dict(rule)

    def _resolved(self, rule: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in rule:
            rule = self._root["$defs"][rule["$ref"].rsplit("/", 1)[-1]]
        return rule

    def _elsewhere(self, key: str) -> str:
        """Where a key belongs that stands in the wrong place."""
        settings = self._root["$defs"]
        if key in self._root["properties"]:
            return f"{key} belongs at the top of the file"
        if key in settings["host"]["properties"] and key not in settings["settings"]["properties"]:
            return f"{key} belongs to a host, under hosts"
        return ""


def accepts(setting: str, value: object) -> bool:
    """Whether a setting of a host (dotted) may have the value."""
    nothing = Document(Path(), "")
    return InventoryRemedies(nothing, checker_of(schema("inventory"))).accepts(setting, value)
