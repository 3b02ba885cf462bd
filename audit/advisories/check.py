"""Which pins an advisory holds, and how each is moved: as data, and as an operator reads it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from audit.advisories.database import Database, package_of, packages_of
from audit.advisories.pinned import Pinned
from audit.advisories.versions import affected, fixed_in, key_of

FORMAT = 1


@dataclass
class Held:
    """A version that advisories hold."""

    ecosystem: str
    name: str
    version: str
    places: list[str]
    advisories: list[dict[str, str]] = field(default_factory=list)  # id, also, summary, severity, fixed

    @property
    def to(self) -> str:
        """The oldest version in which all of them are fixed; empty where one of them is in none."""
        fixed = [it["fixed"] for it in self.advisories]
        return max(fixed, key=key_of(self.ecosystem)) if all(fixed) else ""


def check(pinned: Iterable[Pinned], database: Database, now: datetime) -> dict[str, Any]:
    """What advisories hold of what is pinned. `now`: UTC, to tell the database's age."""
    places: dict[tuple[str, str, str], list[str]] = {}
    for it in pinned:
        listed = places.setdefault((*package_of(it.ecosystem, it.name), it.version), [])
        if it.place not in listed:
            listed.append(it.place)
    by_package: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for advisory in database.advisories:
        for package in packages_of(advisory):
            by_package.setdefault(package, []).append(advisory)
    found, unclear = [], []
    for (ecosystem, name, version), where in sorted(places.items()):
        held = Held(ecosystem, name, version, where)
        for advisory in by_package.get((ecosystem, name), ()):
            try:
                held.advisories += _holds(advisory, ecosystem, name, version)
            except ValueError as error:
                # What cannot be compared is not taken for safe.
                unclear.append(f"{advisory['id']}: {name} {version}: {error}")
        if held.advisories:
            found.append(held)
    return {
        "format": FORMAT,
        "database": {
            "advisories": database.read,
            "newest": database.newest,
            "days": _days(database.newest, now),
        },
        "checked": len(places),
        "held": [_plain(it) for it in found],
        "unclear": unclear,
    }


def _holds(advisory: Mapping[str, Any], ecosystem: str, name: str, version: str) -> list[dict[str, str]]:
    key = key_of(ecosystem)
    entries = [
        it
        for it in advisory.get("affected", ())
        if "package" in it
        and package_of(it["package"]["ecosystem"], it["package"]["name"]) == (ecosystem, name)
        and affected(version, it, key)
    ]
    if not entries:
        return []
    fixed = [fixed_in(version, it, key) for it in entries]
    return [
        {
            "id": advisory["id"],
            "also": ", ".join(it for it in advisory.get("aliases", ()) if it.startswith("CVE-")),
            "summary": advisory.get("summary") or advisory.get("details", "").partition("\n")[0],
            "severity": str(advisory.get("database_specific", {}).get("severity", "")).lower(),
            # It has to be in none of them.
            "fixed": max(fixed, key=key) if all(fixed) else "",
        }
    ]


def _days(iso: str, now: datetime) -> int:
    return (now - datetime.fromisoformat(iso).astimezone(UTC)).days


def _plain(it: Held) -> dict[str, Any]:
    plain = {name: getattr(it, name) for name in ("ecosystem", "name", "version", "places", "to")}
    return {**plain, "advisories": it.advisories, "do": remedy(it)}


def remedy(it: Held) -> str:
    """Which pin to move, and how."""
    if not it.to:
        return "no version is named that is fixed: read the advisory"
    at_least = f"{it.name} {it.to} or later"
    if it.ecosystem == "PyPI" and any("/locks/" in place for place in it.places):
        return (
            f"{at_least}: python -m fleet.locks with a newer --cut-off; where Venom's own requirements"
            f' exclude it, write requirements: {{add: ["{it.name}>={it.to}"]}} and let the resolver say why'
        )
    if it.ecosystem == "PyPI" and any("/engines/" in place for place in it.places):
        return f"{at_least}: python -m fleet.locks with a newer --cut-off; `engines` of pins.yaml bounds it"
    if it.ecosystem == "npm" and any("package-lock.json" in place for place in it.places):
        return f"{at_least}: Venom's release has to move it; take a newer release, or tell upstream"
    if it.ecosystem.startswith("Debian"):
        return f"{at_least}: apt-get update && apt-get install --only-upgrade {it.name}"
    return f"{at_least}: pin it with its digest in schemas/data/pins.yaml, or in a file of pins of your own"


def table(found: Mapping[str, Any]) -> str:
    """What was found, for an operator."""
    database = found["database"]
    lines = [
        f"{found['checked']} pinned versions, {database['advisories']} advisories; the newest of them was"
        f" changed {database['newest'][:10]}, {_age(database['days'])}"
    ]
    for it in found["held"]:
        lines += ["", f"{it['name']} {it['version']} ({it['ecosystem']})", *_block(it)]
    if found["unclear"]:
        lines += ["", "could not be compared, so it may be held:", *(f"  {it}" for it in found["unclear"])]
    if not found["held"] and not found["unclear"]:
        lines += ["", "none of them is held by an advisory"]
    return "\n".join(lines)


def _age(days: int) -> str:
    return "today" if days < 1 else f"{days} day{'s' if days > 1 else ''} ago"


def _block(it: Mapping[str, Any]) -> Sequence[str]:
    lines = []
    for one in it["advisories"]:
        names = f"{one['id']} ({one['also']})" if one["also"] else one["id"]
        severity = f"{one['severity']}: " if one["severity"] else ""
        fixed = f"; fixed in {one['fixed']}" if one["fixed"] else ""
        lines.append(f"  found  {names}, {severity}{one['summary']}{fixed}")
    lines += [f"  in     {place}" for place in it["places"]]
    return [*lines, f"  do     {it['do']}"]
