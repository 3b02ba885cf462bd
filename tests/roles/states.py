"""A host that serves, as status sees it: its generation, its answer, and what was observed."""

from __future__ import annotations

import json
from typing import Any

import click

from engine.env import quoted
from engine.generation import Generation
from engine.observation import NONCE, Observed
from engine.paths import GENERATIONS
from engine.resources import Directory, Enabled, EnvFile, File, Link, sha256
from engine.services import Service
from roles.backend.deploy import UNIT
from roles.status.drift import Desired
from roles.status.report import Report, report
from roles.status.state import HostState, Kept
from roles.status.table import table

SERVICE = Service(UNIT, "Backend", "f00d", "http://127.0.0.1:8000/healthz", 120)
GENERATION = Generation(
    name="Venom v1.9.0 (62ce167a1ff8), llm_off",
    resources=(
        Directory("/etc/venom/units"),
        File("/etc/venom/a", "text\n"),
        Link("/opt/venom/current", "releases/abc"),
        EnvFile("/var/lib/venom/venom.env", {"KEY": "a secret"}, owner="venom"),
        Enabled(UNIT),
    ),
    services=(SERVICE,),
    stopped=("ollama.service",),
    store_paths=("/opt/venom/sources/s",),
    record={"applied": {"plan": {"profile": "llm_off", "python": {"version": "3.12.1"}, "model": None}}},
)
KEY = GENERATION.key
CURRENT = f"{GENERATIONS}/current"
FILE = {"kind": "file", "mode": "0644", "owner": "root"}
SEEN = Observed(
    paths={
        "/etc/venom/units": {"kind": "directory", "mode": "0755", "owner": "root"},
        "/etc/venom/a": {**FILE, "sha256": sha256("text\n")},
        "/opt/venom/current": {"kind": "link", "target": "releases/abc"},
        "/opt/venom/sources/s": {"kind": "directory"},
        CURRENT: {"kind": "link", "target": f"{KEY}.json"},
        GENERATION.file.path: {**FILE, "mode": "0600", "sha256": GENERATION.file.digest},
    },
    env_files={
        "/var/lib/venom/venom.env": {
            **{"mode": "0600", "owner": "venom"},
            "values": {"KEY": sha256(NONCE + quoted("a secret")), "PANEL": "another"},
        }
    },
    units={
        UNIT: {"ActiveState": "active", "UnitFileState": "enabled", "Fingerprint": "f00d"},
        "ollama.service": {"ActiveState": "inactive"},
    },
    receipt={"generation": KEY},
)


def digested() -> dict[str, Any]:
    """The generation as a host reports it."""
    content: dict[str, Any] = json.loads(json.dumps(GENERATION.content()))
    for it in content["resources"]:
        if it["kind"] == "file":
            it["content"] = sha256(it["content"])
        if it["kind"] == "settings":
            it["values"] = {key: sha256(NONCE + value) for key, value in it["values"].items()}
    return content


def generation_kept(data_at: str = "", data_bytes: int = 0) -> Kept:
    """The generation, as status.py lists it among those that are kept."""
    at, name = "2026-11-21T20:11:40Z", GENERATION.name
    return {"key": KEY, "at": at, "name": name, "data_at": data_at, "data_bytes": data_bytes}


def answer_of_status(**changes: Any) -> dict[str, Any]:
    """What status.py prints."""
    unit = {"state": "active", "substate": "running", "since": 1000, "restarts": 0, "memory": 60 << 20}
    it = {
        "now": 1000 + 7200,
        "key": KEY,
        "generation": digested(),
        "receipt": {
            **GENERATION.record,
            **{"generation": KEY, "at": "2026-11-21T20:11:47Z", "by": "ada@desk"},
        },
        "kept": [generation_kept()],
        "units": {UNIT: unit, "ollama.service": {**unit, "state": "inactive", "memory": 0}},
        "answers": {UNIT: ""},
        "models": None,
        "versions": {"Python": "3.12.1", "Node": "24.1.0", "Ollama": ""},
        "lock": "",
        "measured": "",
        "backup": {},
    }
    return it | changes


def state(**changes: Any) -> HostState:
    return HostState.of(json.dumps(answer_of_status(**changes)))


def desired(generation: Generation = GENERATION, observed: Observed = SEEN) -> Desired:
    return Desired(generation, [*generation.unproven(observed), *generation.differs(observed)])


def judged(observed: Observed = SEEN, **changes: Any) -> Report:
    host = state(**changes)
    return report(
        "box", "192.0.2.1", state=host, observed=observed, desired=desired(observed=observed), errors=[]
    )


def plain(it: Report) -> str:
    return click.unstyle(table(it))
