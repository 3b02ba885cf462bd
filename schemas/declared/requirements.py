"""Which requirements tiers the backend's packages come from: what is asked for, and what an engine brings."""

from __future__ import annotations

from collections.abc import Collection

from schemas.data.contract import contract
from schemas.data.version import is_requirement
from schemas.declared.engines import tiers_of_engines
from schemas.reading.inherit import Settings
from schemas.reading.problem import Problem, listed


def tiers_of(
    settings: Settings, profile: str, release: str, engines: Collection[str], problems: list[Problem]
) -> tuple[str, ...]:
    """The tier, and its extras after it; what is wrong with them goes to `problems`."""
    known = contract().requirements
    tier = settings.get("requirements", "tier", default=contract().profiles[profile].requirements)
    asked = (tier, *settings.get("requirements", "extras", default=()))
    brought = tiers_of_engines(settings, engines, release, asked, problems)
    for index, name in enumerate(asked):
        keys = ("requirements", "tier") if index == 0 else ("requirements", "extras", index - 1)
        if not known[name].files_of(release):
            having = [t for t, spec in known.items() if spec.files_of(release)]
            found = f'"{name}", which {release} does not have'
            problems.append(settings.problem(keys, found, listed(having)))
        if known[name].kind != "core-light" and profile != "full":
            light = [t for t, spec in known.items() if spec.kind == "core-light"]
            found = f'"{name}" ({known[name].kind}) in profile {profile}'
            problems.append(settings.problem(keys, found, listed(light), "heavy tiers need profile: full"))
        after = known[name].after
        if after and known[name].files_of(release) and not set(after) & {*asked, *brought}:
            found = f'"{name}" alone'
            problems.append(settings.problem(keys, found, f"{name} after {' or '.join(after)}"))
    # What goes after an ONNX tier stands there.
    first = tuple(it for it in brought if not known[it].after)
    return (tier, *first, *asked[1:], *(it for it in brought if it not in first))


def added_of(settings: Settings, problems: list[Problem]) -> tuple[str, ...]:
    """The requirements that the operator adds; what is none goes to `problems`."""
    added = tuple(settings.get("requirements", "add", default=()))
    for index, requirement in enumerate(added):
        if not is_requirement(requirement):
            keys = ("requirements", "add", index)
            found = f'"{requirement}"'
            problems.append(settings.problem(keys, found, 'a requirement such as "pillow>=11"'))
    return added
