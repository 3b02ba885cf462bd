"""The result of an acceptance as data: `report.json`, of which every other form is made. Pure.

    folder = folder_of(acceptance.at)
    write(acceptance, folder)                              # reports/<UTC time>/report.json
    read(folder / "report.json")                           # the same again

Format 1; whoever changes what a key means counts it up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 1
FILE = "report.json"
REPORTS = Path("reports")  # in the directory that pyinfra runs from

PASSED, FAILED, SKIPPED, UNREACHED = "passed", "failed", "skipped", "unreached"


@dataclass(frozen=True)
class Evidence:
    """What a check saw: a text, or a file that lies beside the document."""

    kind: str  # screenshot, journal, text
    title: str
    text: str = ""
    file: str = ""  # its name in the folder of the document


@dataclass(frozen=True)
class Check:
    """One thing that was tried on a host."""

    name: str  # dotted, stable, e.g. "door.websocket"
    title: str  # for people
    result: str  # passed, failed, skipped
    expected: str
    found: str  # where it was skipped: why
    seconds: float = 0.0
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True)
class Item:
    """A line of the contract's deployment checklist, and the checks that it stands on."""

    item: str
    result: str
    checks: tuple[str, ...]


@dataclass(frozen=True)
class Metric:
    """A figure of a host, beside the one of the generation before and the budget."""

    value: float
    unit: str  # s, bytes
    before: float | None = None
    budget: float | None = None


@dataclass(frozen=True)
class Measured:
    """The figures of one generation, as the host remembers them."""

    at: str  # UTC, ISO 8601
    generation: str
    release: str
    profile: str
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class HostAcceptance:
    """One host: what it serves, what was tried, and what that proves."""

    name: str
    address: str
    result: str  # passed, failed, unreached
    generation: str = ""
    release: str = ""
    profile: str = ""
    vram_tier: str = ""  # empty where the profile has no model of its own: then it is left out
    serves: str = ""  # for people, e.g. "Venom v1.9.0 (62ce167a1ff8), profile light, gemma3:4b"
    checks: tuple[Check, ...] = ()
    checklist: tuple[Item, ...] = ()
    run: Mapping[str, Any] = field(default_factory=dict)  # the receipt's: at, by, seconds, branches
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    history: tuple[Measured, ...] = ()  # the oldest first


@dataclass(frozen=True)
class Acceptance:
    """One acceptance of a fleet."""

    at: str  # UTC, ISO 8601, e.g. "2026-11-22T03:10:00Z"
    by: str  # user@machine
    inventory: str
    hosts: tuple[HostAcceptance, ...]

    @property
    def result(self) -> str:
        """`passed` only where every host passed."""
        return PASSED if self.hosts and all(it.result == PASSED for it in self.hosts) else FAILED

    @property
    def exit_status(self) -> int:
        """Of the process: 0 accepted, 1 not."""
        return 0 if self.result == PASSED else 1


def result_of(results: Iterable[str]) -> str:
    """What several results come to: one that failed fails all; where all were skipped, so is this."""
    seen = set(results)
    return FAILED if FAILED in seen else PASSED if PASSED in seen else SKIPPED


def document(acceptance: Acceptance) -> dict[str, Any]:
    """The document, ready for JSON."""
    plain = {"format": FORMAT, "result": acceptance.result, **asdict(acceptance)}
    for host in plain["hosts"]:
        if not host["vram_tier"]:
            del host["vram_tier"]
    order = ("format", "at", "by", "inventory", "result", "hosts")
    return {key: plain[key] for key in order}


def folder_of(at: str) -> Path:
    """Where the report of this moment lies: a name that every file system takes, in order of time."""
    return REPORTS / at.replace(":", "-")


def write(acceptance: Acceptance, folder: Path) -> Path:
    """Write `report.json` into the folder, whole or not at all; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path, part = folder / FILE, folder / f"{FILE}.part"
    part.write_text(json.dumps(document(acceptance), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return part.rename(path)


def read(path: Path) -> Acceptance:
    """An acceptance from its `report.json`. Raises ValueError for one of another format."""
    document = json.loads(path.read_text(encoding="utf-8"))
    if document.get("format") != FORMAT:
        raise ValueError(f"{path}: format {document.get('format')}; this version reads {FORMAT}")
    hosts = tuple(_host(it) for it in document["hosts"])
    return Acceptance(document["at"], document["by"], document["inventory"], hosts)


def _host(host: Mapping[str, Any]) -> HostAcceptance:
    checks = (dict(it, evidence=tuple(Evidence(**e) for e in it["evidence"])) for it in host["checks"])
    return HostAcceptance(
        **{
            **host,
            "checks": tuple(Check(**it) for it in checks),
            "checklist": tuple(Item(**dict(it, checks=tuple(it["checks"]))) for it in host["checklist"]),
            "metrics": {name: Metric(**it) for name, it in host["metrics"].items()},
            "history": tuple(Measured(**it) for it in host["history"]),
        }
    )
