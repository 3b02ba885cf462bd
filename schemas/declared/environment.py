"""The environment: names and types that the contract knows, and where each of them ends."""

from __future__ import annotations

import re
from collections.abc import Mapping

from schemas.data.contract import Variable, contract
from schemas.declared.habits import variable_meant
from schemas.declared.remedies import accepts
from schemas.reading.document import shown
from schemas.reading.inherit import Settings
from schemas.reading.problem import Problem, listed, nearest

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_DURATION = re.compile(r"-?([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+|-?[0-9]{1,9}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_URL = re.compile(r"(https?|wss?)://[^\s/@]+(/\S*)?")
_FORMS = {
    "boolean": "true or false",
    "flag": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "duration": "a duration such as 10m, 90s or 1h30m",
    "url": "a URL",
    "string": "text",
}


def checked(settings: Settings, profile: str, problems: list[Problem]) -> dict[str, str]:
    """The overrides of one host as text. What the contract has against them goes to `problems`."""
    known, result = contract(), {}
    for name, value in settings.get("environment", default={}).items():
        keys = ("environment", name)
        variable = known.variables.get(name)
        if variable is None:
            hint = variable_meant(name, value, accepts)
            # Names of one program begin alike: only a typing error is near.
            hint = hint or _misspelt(name)
            allowed = "a name of the contract (docs/inventory.md lists them)"
            problems.append(settings.problem(keys, f'the name "{name}"', allowed, hint))
            continue
        if variable.secret:
            hint = f"write it under secrets: {name}: env:{name}"
            problems.append(settings.problem(keys, "a secret's value (not shown)", "a reference", hint))
            continue
        text = as_text(variable, value)
        found = shown(value, settings.document.raw.get(settings.origin(*keys)))
        if text is None:
            hint = "put it in quotes" if isinstance(value, bool) else ""
            problems.append(settings.problem(keys, found, form(variable), hint))
            continue
        allowed_here = known.profiles[profile].allowed.get(name)
        if allowed_here is not None and text not in allowed_here:
            hint = "the profile decides it: change profile"
            problems.append(
                settings.problem(keys, found, f"{listed(allowed_here)} in profile {profile}", hint)
            )
            continue
        if variable.fixed_by and "container" not in variable.scope:
            default = getattr(known, variable.fixed_by, "")
            decided = settings.get(*variable.fixed_by.split("."), default=default)
            if text != decided:
                allowed = f"nothing: {variable.fixed_by} decides it"
                hint = f"write {variable.fixed_by}: {text}" if " " not in variable.fixed_by else ""
                problems.append(settings.problem(keys, found, allowed, hint or "remove the line"))
            continue
        result[name] = text
    return result


def _misspelt(name: str) -> str:
    known = contract()
    match = nearest(name.upper(), known.settable(), 0.85)
    decided = known.variables[match].fixed_by if match else ""
    if decided:
        return f"{match} is no setting of its own: {decided} decides it"
    return f'did you mean "{match}"?' if match else ""


def as_text(variable: Variable, value: object) -> str | None:
    """The value as an environment holds it, or None where it is not of the variable's type."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    kind = variable.type
    result: str | None = None
    if kind in ("boolean", "flag"):
        word = text.lower()
        if word in _TRUE or word in _FALSE:
            yes = word in _TRUE
            result = ("1" if yes else "0") if kind == "flag" else str(yes).lower()
    elif isinstance(value, bool) or kind == "enum":
        result = text if text in variable.values else None
    elif kind in ("integer", "number"):
        result = _number(variable, text)
    elif kind == "duration":
        result = text if _DURATION.fullmatch(text) or text == variable.default else None
    elif kind == "url":
        result = text if _URL.fullmatch(text) else None
    else:
        result = text
    return result


def form(variable: Variable) -> str:
    """What the variable may be, in words."""
    if variable.values:
        return listed(variable.values)
    least = f", at least {variable.minimum:g}" if variable.minimum is not None else ""
    return _FORMS[variable.type] + least


def values(
    scope: str, overrides: Mapping[str, str], fill: Mapping[str, object], special: Mapping[str, str]
) -> dict[str, str]:
    """All names of one scope, resolved: override, else the special value, else the default.

    An optional one has an entry only where somebody sets it. `special` is what profile, hardware and
    development set. `fill` gives what the contract writes in
    braces (profile, model, vram_tier, keep_alive, ports).
    """
    result = {}
    for name, variable in contract().variables.items():
        unset = variable.optional and name not in special and name not in overrides
        if scope in variable.scope and not variable.secret and not unset:
            default = special.get(name, variable.default).format_map(fill)
            result[name] = overrides.get(name, default)
    return result


def _number(variable: Variable, text: str) -> str | None:
    if not _NUMBER.fullmatch(text) or ("." in text and variable.type == "integer"):
        return None
    return text if variable.minimum is None or float(text) >= variable.minimum else None
