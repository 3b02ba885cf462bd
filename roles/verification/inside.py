"""The checks from inside: what the host itself answers when it is asked once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

from engine import remote
from engine.answers import data, formed, number, understood
from engine.following import folded
from engine.generation import Generation
from engine.observation import Observed
from engine.progress import size
from engine.refusal import RefusedError
from engine.resources import Difference
from engine.services import Service
from roles.verification.acceptance import Check
from roles.verification.attempt import NotSo, Skip, attempt
from schemas.model import HostPlan, Model
from schemas.plan.memory import gib

SCRIPTS = Path(__file__).parent / "scripts"
BACKEND, BACKEND_USER = "venom-backend.service", "venom"
VLLM_PORT = 8001
_READING = 1800  # seconds: the largest weights (17 GB) from a slow disk

# What a light backend must do without (docs/contract.md#requirement-tiers).
EXCLUDED = ("onnxruntime", "onnx", "optimum", "accelerate")


@dataclass(frozen=True)
class Inside:
    """What the host answered."""

    health: Mapping[str, Mapping[str, Any]]  # unit → status, error, seconds
    modules: Mapping[str, Any]  # processes, installed, loaded
    containers: Mapping[str, Any]  # programs, sockets, open_to_backend, docker_host
    listening: Sequence[str]  # ADDRESS:PORT
    runtimes: Sequence[str]  # processes of model servers
    tags: Mapping[str, Any] | None  # of Ollama; None where none was asked, or answers
    ps: Mapping[str, Any] | None
    vllm: Mapping[str, str] | None = None  # words, error; None where there is no vLLM


def ask(services: Sequence[Service], plan: HostPlan) -> Inside:
    """Ask the current host. Raises NotSo where it cannot be asked."""
    question = {
        "urls": {it.unit: it.url for it in services if not it.reloads},
        "backend": BACKEND,
        "user": plan.development.user if plan.development else BACKEND_USER,
        "excluded": EXCLUDED,
        "ollama": f"http://127.0.0.1:{plan.ollama.port}" if plan.ollama else "",
        "vllm": [f"http://127.0.0.1:{plan.vllm.port}", plan.vllm.tree.repository] if plan.vllm else [],
    }
    answer = remote.ask(remote.python("inside.py", json.dumps(question), SCRIPTS, modules=("reading.py",)))
    if not answer.ok:
        raise NotSo(f"the host cannot be asked: {answer.stderr.strip() or 'no answer'}")
    try:
        return understood("what serves inside", answer.stdout, inside)
    except RefusedError as refusal:
        raise NotSo(refusal.findings[0].found) from None


class _Weights(TypedDict):
    """What weights.py prints."""

    bytes: int  # of the parts that are whole
    damaged: list[str]  # paths of the others


class _Health(TypedDict):
    status: int
    error: str
    seconds: float


class _Modules(TypedDict):
    processes: int
    installed: list[str]
    loaded: list[str]


class _Containers(TypedDict):
    programs: list[str]
    sockets: list[str]
    open_to_backend: list[str]
    docker_host: bool


class _Answer(TypedDict):
    """The form of what inside.py prints."""

    health: dict[str, _Health]
    modules: _Modules
    containers: _Containers
    listening: list[str]
    runtimes: list[str]
    tags: dict[str, Any] | None
    ps: dict[str, Any] | None
    vllm: dict[str, str] | None


def inside(text: str) -> Inside:
    """What the script printed. Raises what `answers.data` raises, ValueError or KeyError."""
    answer = data(text, _Answer)
    for it in answer["listening"]:
        number(it.rsplit(":", 1)[-1])
    # Ollama says these: another version of it may say something else.
    for it in (answer["tags"] or {"models": []})["models"]:
        formed([it["name"], it["digest"]], list[str])
    for it in (answer["ps"] or {"models": []})["models"]:
        formed([it["size"], it.get("size_vram", 0)], list[int])
        formed(it["name"], str)
    return Inside(**answer)


def as_planned(changed: Sequence[Difference], pending: Sequence[Difference], applied: str) -> Check:
    """Whether the host is what the inventory asks for: everything else is judged by that.

    `changed`: it is not as it was left; `pending`: the inventory says something else since.
    """

    def try_it() -> str:
        reasons = [f"not as it was left: {_some(changed)}"] if changed else []
        reasons += [f"not yet as the inventory asks: {_some(pending)}"] if pending else []
        if reasons:
            raise NotSo("; ".join([f"{applied} serves", *reasons, "run deploy/venom.py first"]))
        return f"{applied} serves"

    return attempt("plan.applied", "The host is what the inventory asks for", "nothing differs", try_it)


def _some(differences: Sequence[Difference]) -> str:
    lines = folded(differences)
    more = f" and {len(lines) - 3} more" if len(lines) > 3 else ""
    return ", ".join(lines[:3]) + more


def units(generation: Generation, observed: Observed) -> list[Check]:
    """Each service runs with the plan's inputs; what must not run does not."""

    def runs(service: Service) -> Check:
        def try_it() -> str:
            state = service.state(observed)
            if not service.runs(observed):
                raise NotSo(f"{service.unit}: {state}")
            return f"{service.unit} runs, {service.fingerprint}"

        name = service.unit.removesuffix(".service")
        expected = "runs with the inputs of the plan"
        return attempt(f"units.{name}", service.title, expected, try_it)

    def does_not(unit: str) -> Check:
        def try_it() -> str:
            state = observed.units.get(unit, {}).get("ActiveState", "inactive")
            if state not in {"inactive", "failed"}:
                raise NotSo(f"{unit}: {state}")
            return f"{unit}: {state}"

        name = unit.removesuffix(".service")
        return attempt(f"units.{name}", name, "does not run", try_it)

    return [runs(it) for it in generation.services] + [does_not(it) for it in generation.stopped]


def health(services: Sequence[Service], answer: Inside) -> list[Check]:
    """Each service answers at its address."""

    def answers(service: Service) -> Check:
        def try_it() -> str:
            it = answer.health[service.unit]
            if it["status"] != 200:
                raise NotSo(f"{service.url}: {it['error'] or it['status']}")
            return f"{service.url}: 200 in {it['seconds']:.2f} s"

        name = service.unit.removesuffix(".service")
        return attempt(f"health.{name}", f"{service.title} answers", "200 from its address", try_it)

    return [answers(it) for it in services if not it.reloads]


def model(plan: HostPlan, answer: Inside) -> list[Check]:
    """The weights are the plan's; where there is a card, they lie on it."""
    wanted = plan.model
    if wanted is None:
        return [_no_local_runtime(answer)]

    def digest() -> str:
        if answer.tags is None:
            raise NotSo("Ollama does not answer GET /api/tags")
        have = {it["name"]: it["digest"].split(":")[-1] for it in answer.tags["models"]}
        if wanted.name not in have:
            raise NotSo(f"{wanted.name} is not there; there is {', '.join(sorted(have)) or 'none'}")
        if have[wanted.name] != wanted.digest:
            raise NotSo(f"{wanted.name} is sha256 {have[wanted.name][:12]}")
        return f"{wanted.name} is sha256 {wanted.digest[:12]}"

    expected = f"{wanted.name} of sha256 {wanted.digest[:12]}"
    return [attempt("model.digest", "The model is the plan's (GET /api/tags)", expected, digest)]


def weights(services: Sequence[Service]) -> list[Check]:
    """The weights are whole: each part, read from end to end on the current host, has its digest."""

    def try_it(manifest: str) -> str:
        command = remote.python("weights.py", "", SCRIPTS, [manifest], modules=("blobs.py",))
        answer = remote.ask(command, timeout=_READING)
        if not answer.ok:
            raise NotSo(answer.stderr.strip().splitlines()[-1] if answer.stderr.strip() else "no answer")
        return whole_weights(answer.stdout)

    title, expected = "The weights are whole: each part was read", "the content that its digest names"
    return [
        attempt("model.blobs", title, expected, partial(try_it, it.model.manifest), patience=_READING)
        for it in services
        if it.model
    ]


def whole_weights(text: str) -> str:
    """What weights.py printed, in words. Raises NotSo where a part is damaged, and what `data` raises."""
    found = data(text, _Weights)
    if damaged := " ".join(found["damaged"]):
        raise NotSo(f"damaged\nrm -f {damaged}\non the host; then deploy/venom.py pulls it again")
    return f"{size(found['bytes'])}, as their digests say"


def gpu(wanted: Model, answer: Inside, cards: Sequence[str], may_spill: bool) -> Check:
    """Where there is a card, the model lies on it. `cards`: their names.

    `may_spill`: whether the inventory lets part of it lie elsewhere.
    """

    def try_it() -> str:
        if not cards:
            raise Skip("there is no card on this host: the model runs on its processors")
        loaded = {it["name"]: it for it in (answer.ps or {"models": []})["models"]}
        if wanted.name not in loaded:
            raise NotSo(f"{wanted.name} is not loaded after a chat")
        size, vram = loaded[wanted.name]["size"], loaded[wanted.name].get("size_vram", 0)
        found = f"{gib(vram)} of {gib(size)} on {', '.join(cards)}"
        if vram < size and not may_spill:
            raise NotSo(found)
        return found

    expected = "all of it, or less (gpu.spill: allow)" if may_spill else "all of it"
    return attempt("gpu.used", "The model lies on the card (GET /api/ps)", expected, try_it)


def _no_local_runtime(answer: Inside) -> Check:
    def try_it() -> str:
        ports = {int(it.rsplit(":", 1)[-1]) for it in answer.listening}
        open_ports = [f"port {port}" for port in (11434, VLLM_PORT) if port in ports]
        if answer.runtimes or open_ports:
            raise NotSo(", ".join([*answer.runtimes, *open_ports]))
        return "no process of Ollama or vLLM, nothing listens on their ports"

    return attempt("runtime.none", "No local model server", "no process, no port", try_it)


def without_docker(answer: Inside) -> Check:
    """That the backend serves without a container engine."""

    def try_it() -> str:
        it = answer.containers
        if it["open_to_backend"]:
            raise NotSo(f"the backend's user may open {', '.join(it['open_to_backend'])}")
        if it["docker_host"]:
            raise NotSo("DOCKER_HOST is set for the backend")
        if not it["programs"] and not it["sockets"]:
            return "it serves, and the host has no container engine, command line or socket"
        return f"it serves, and may open none of {', '.join([*it['programs'], *it['sockets']])}'s sockets"

    return attempt("docker.not-needed", "The backend needs no Docker", "it serves without one", try_it)


def without_onnx(plan: HostPlan, answer: Inside) -> Check:
    """That nothing of ONNX is in the backend of a light profile."""

    def try_it() -> str:
        it = answer.modules
        if plan.profile == "full":
            raise Skip("profile full may have it")
        if it["loaded"]:
            raise NotSo(f"loaded into the backend: {', '.join(it['loaded'])}")
        if not it["processes"]:
            raise NotSo("the backend does not run")
        if it["installed"]:
            return f"not loaded, although its environment has {', '.join(it['installed'])}"
        return f"none of {', '.join(EXCLUDED)} is in the environment of the backend that runs"

    return attempt("onnx.not-imported", "No ONNX in the backend", "not imported", try_it)
