"""What people write who come from elsewhere (`habits.yaml`), and what says it in this inventory's terms.

A remedy that says `write …` is accepted as it stands: a test follows each and reads the inventory again.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from schemas.data.contract import contract
from schemas.declared.renamed import renamed
from schemas.reading.document import Keys, flow, read

Accepts = Callable[[str, object], bool]  # whether a setting (dotted, from the host) may have that value

_PATH = Path(__file__).with_name("habits.yaml")


def section_of(keys: Keys) -> str | None:
    """The part of a host's settings that `keys` lead to, dotted; None: they lead to none."""
    if not keys or keys[0] not in ("defaults", "groups", "hosts"):
        return None
    names = keys[1:] if keys[0] == "defaults" else keys[2:]
    inside = keys[0] == "defaults" or len(keys) > 1
    return ".".join(str(it) for it in names if not isinstance(it, int)) if inside else None


def key_meant(keys: Keys, key: str, value: object, accepts: Accepts) -> str:
    """The remedy for a key that is not known where it stands (`keys`: what is around it), or nothing."""
    section = section_of(keys)
    if section is not None and (now := renamed().get(f"{section}.{key}".lstrip("."))):
        return f"renamed to {now.to} in {now.since}: {_remedy(now.to, value, accepts)}"
    if key.startswith(("x-", ".")):
        return sentence("extension")
    if section == "" and key in ("groups", "hosts") and keys[0] != "hosts":
        return sentence("members")
    table = _table()["keys"].get("top" if section is None else section or "host", {})
    return _remedy(_found(table, key), value, accepts)


def variable_meant(name: str, value: object, accepts: Accepts) -> str:
    """The remedy for a name that the environment does not have, or nothing."""
    return _remedy(_found(_table()["variables"], name), value, accepts)


def word_meant(setting: str, word: str) -> str:
    """The value that a word means as the value of a setting, or a sentence; or nothing."""
    return _found(_table()["values"].get(setting, {}), word)


def sentence(name: str) -> str:
    """A sentence by its name; what is no name of one stands for itself."""
    return str(_table()["sentences"].get(name, name))


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = read(_PATH).data
    return table


def _found(table: dict[str, list[str]], word: str) -> str:
    return next((meant for meant, words in table.items() if word.lower() in words), "")


def _remedy(meant: str, value: object, accepts: Accepts) -> str:
    """To write the value where it belongs; where it cannot be that, only where that is."""
    if not meant or " " in meant or meant in _table()["sentences"]:
        return sentence(meant)
    one = value[0] if isinstance(value, list) and len(value) == 1 else value
    fitting: Any = next((it for it in (value, one, [value]) if accepts(meant, it)), None)
    # What is no setting of ours may be a secret, which is never shown.
    strange = meant == "environment" and not set(fitting or ()) <= set(contract().settable())
    if fitting is None or strange:
        return f"the setting for that is {meant}"
    nested: object = fitting
    for name in reversed(meant.split(".")):
        nested = {name: nested}
    return f"write {flow(nested)[1:-1]}"
