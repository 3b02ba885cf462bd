"""The report of one host, made of what the host answered and of the plan. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from engine.observation import Observed
from engine.receipt import images_in
from engine.resources import Difference
from roles.status.backups import Backups
from roles.status.drift import Desired, drift
from roles.status.state import HostState, Kept
from schemas.data.contract import contract
from schemas.hardware import Gpu
from schemas.plan.memory import gib

IN_SYNC, DRIFT, ERROR = "in sync", "drift", "error"
# So many things that a store lacks are named.
_NAMED = 5
# The process's exit status; where hosts differ, an error counts before a drift.
EXIT = {IN_SYNC: 0, DRIFT: 2, ERROR: 1}


@dataclass(frozen=True)
class ServiceReport:
    """One service as it stands."""

    unit: str
    title: str
    health: str  # "serves", "does not run: failed (failed)", "does not answer: …", "stopped, as it should be"
    since: int = 0  # seconds since 1970; 0 where it does not run
    restarts: int = 0  # by systemd itself, since it was last started
    memory: int = 0  # bytes


@dataclass(frozen=True)
class ModelReport:
    """The model as the host has it."""

    name: str
    digest: str  # hex; empty where it is not there, or not known
    known: bool  # whether an Ollama answered
    size: int  # bytes, loaded; 0 while it is idle
    vram: int  # bytes of it in VRAM


@dataclass(frozen=True)
class Report:
    """How one host stands."""

    host: str
    address: str
    errors: tuple[str, ...] = ()
    provisioned: bool = False
    now: int = 0
    profile: str = ""
    venom: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)  # what runs from one → its digest, hex sha256
    vram_tier: str = ""  # empty where the profile has no model of its own
    model: ModelReport | None = None
    cards: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()  # what the operator should know of the hardware
    services: tuple[ServiceReport, ...] = ()
    generation: str = ""
    applied_at: str = ""  # UTC, ISO 8601
    applied_by: str = ""
    kept: tuple[Kept, ...] = ()
    lock: str = ""
    certificate: str = ""  # of the door: its fingerprint, and how long it is valid; empty without TLS
    store: Mapping[str, Any] = field(default_factory=dict)  # of the fleet's store that it serves; or empty
    pulls: tuple[Mapping[str, Any], ...] = ()  # of hosts that pull from that store: what they reported
    budgets: tuple[Mapping[str, Any], ...] = ()  # each with what was measured last
    backups: Backups | None = None  # None on a host without them
    changed: tuple[Difference, ...] = ()  # the host is not what was applied last
    pending: tuple[Difference, ...] = ()  # the plan is not what was applied last

    @property
    def state(self) -> str:
        """In sync, drift or error."""
        if self.errors:
            return ERROR
        return DRIFT if self.changed or self.pending or not self.provisioned else IN_SYNC


def exit_status(reports: Iterable[Report]) -> int:
    """0 where every host is in sync, 2 where one drifted, 1 where one could not be judged."""
    states = {it.state for it in reports}
    return EXIT[next((it for it in (ERROR, DRIFT) if it in states), IN_SYNC)]


def document(reports: Sequence[Report]) -> str:
    """The reports of all hosts as one JSON document."""
    hosts = {it.host: _plain(it) for it in reports}
    return json.dumps({"status": exit_status(reports), "hosts": hosts}, indent=2)


def _plain(report: Report) -> dict[str, Any]:
    document = asdict(report)
    document["versions"] = {name.lower(): version for name, version in report.versions.items()}
    if not report.vram_tier:
        del document["vram_tier"]
    for name in ("store", "pulls", "backups"):
        if not document[name]:
            del document[name]
    drift = {"from_receipt": document.pop("changed"), "from_plan": document.pop("pending")}
    return {"state": report.state, **document, "drift": drift}


def report(
    host: str,
    address: str,
    *,
    state: HostState | None,
    observed: Observed | None,
    desired: Desired | None,
    errors: Iterable[str],
    store: Mapping[str, Any] | None = None,
    pulls: Sequence[Mapping[str, Any]] = (),
    budgets: Iterable[Mapping[str, Any]] = (),
) -> Report:
    """How the host stands. What could not be had is None, and `errors` say why."""
    why = tuple(errors)
    if state is None or observed is None or not state.provisioned:
        return Report(host, address, errors=why, lock=state.lock if state else "")
    changed, pending = drift(state, observed, desired)
    return Report(
        host,
        address,
        errors=why,
        provisioned=True,
        now=state.now,
        profile=state.plan.get("profile", ""),
        venom=state.generation.name.rpartition(", ")[0] if state.generation else "",
        versions=state.versions,
        images={it["name"]: it["sha256"] for it in images_in(state.plan)},
        vram_tier=(state.plan.get("vram_tier") or {}).get("name", ""),
        model=_model(state),
        services=_services(state),
        generation=state.applied,
        applied_at=state.receipt.get("at", ""),
        applied_by=state.receipt.get("by", ""),
        kept=tuple(state.kept),
        lock=state.lock,
        certificate=_certificate(state, observed),
        cards=tuple(map(_card, desired.cards)) if desired else (),
        remarks=tuple(desired.remarks) if desired else (),
        changed=tuple(changed),
        store=store or {},
        pulls=tuple(pulls),
        budgets=tuple(budgets),
        backups=state.backups,
        pending=(
            *pending,
            *_of_store(store or {}),
            *(Difference(f"the pull of {it['host']}", it["alarm"]) for it in pulls if it["alarm"]),
            *(state.backups.differences() if state.backups else ()),
        ),
    )


def _of_store(store: Mapping[str, Any]) -> Iterable[Difference]:
    """What a store that the host serves is not as the inventory asks."""
    if trouble := store.get("trouble"):
        yield Difference("the store", f"does not serve: {trouble}")
    if missing := store.get("missing"):
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        yield Difference("the store", f"lacks {', '.join(missing[:_NAMED])}{more}")


def _services(state: HostState) -> tuple[ServiceReport, ...]:
    if state.generation is None:
        return ()
    found = []
    for service in state.generation.services:
        unit, answer = state.units[service.unit], state.answers[service.unit]
        runs = unit["state"] == "active"
        health = f"does not answer: {answer}" if answer else "serves"
        found.append(
            ServiceReport(
                unit=service.unit,
                title=service.title,
                health=health if runs else f"does not run: {unit['state']} ({unit['substate']})",
                since=unit["since"] if runs else 0,
                restarts=unit["restarts"],
                memory=unit["memory"],
            )
        )
    profiles = {service for it in contract().profiles.values() for service in it.services}
    for name in state.generation.stopped:
        runs = state.units[name]["state"] not in {"inactive", "failed"}
        # What no profile has by its contract is worth a word only where it runs.
        if name.removesuffix(".service") not in profiles and not runs:
            continue
        health = "runs but must not" if runs else "does not run, as the profile says"
        found.append(ServiceReport(name, name.removesuffix(".service"), health))
    return tuple(found)


def _certificate(state: HostState, observed: Observed) -> str:
    services = state.generation.services if state.generation else ()
    for path in [it.reloads.certificate for it in services if it.reloads]:
        have = observed.paths.get(path, {})
        if "fingerprint" in have:
            return f"SHA-256 {have['fingerprint']}, valid for {have['days']} days"
    return ""


def _card(gpu: Gpu) -> str:
    memory = f"{gib(gpu.vram_bytes)} of main memory" if gpu.unified else gib(gpu.vram_bytes)
    return f"{gpu.name}, {memory}{f', driver {gpu.driver}' if gpu.driver else ''}"


def _model(state: HostState) -> ModelReport | None:
    model = state.plan.get("model")
    if not model:
        return None
    name, known = model["name"], state.models is not None
    digests, loaded = (state.models["digests"], state.models["loaded"]) if state.models else ({}, {})
    memory = loaded.get(name, {"size": 0, "size_vram": 0})
    return ModelReport(name, digests.get(name, ""), known, memory["size"], memory["size_vram"])
