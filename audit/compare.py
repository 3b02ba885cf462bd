"""What changed between two audits: packages that every start needs since then come first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_GONE = "not imported"


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The changes, a line each, the gravest first; none where both import the same alike."""
    old, new = _by_package(before), _by_package(after)
    changed = sorted(_changes(old, new))
    lines = [text for _, text in changed]
    counts = (("modules", "all"), ("modules", "start-up"))
    for name, part in counts:
        was, now = before[name].get(part, 0), after[name].get(part, 0)
        if was != now:
            lines.append(f"{'modules' if part == 'all' else 'modules that every start runs'}: {was} → {now}")
    return lines


def _changes(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[int, str]]:
    for name in sorted(old.keys() | new.keys()):
        was = old[name]["when"] if name in old else _GONE
        now = new[name]["when"] if name in new else _GONE
        if was == now:
            continue
        critical = (name in old and old[name]["critical"], name in new and new[name]["critical"])
        text = f"{name}: {was} → {now}"
        if critical == (False, True):
            yield 0, f"start-up critical now  {text}  ({' > '.join(new[name]['way']) or new[name]['note']})"
        elif critical == (True, False):
            yield 1, f"no longer critical     {text}"
        else:
            yield 2, f"changed                {text}"


def _by_package(found: Mapping[str, Any]) -> dict[str, Any]:
    return {entry["package"]: entry for entry in found["packages"]}
