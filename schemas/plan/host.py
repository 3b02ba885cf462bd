"""Makes the plan of one host from what is declared and what its hardware is: pure, and complete.

`plan_host` raises `PlanError` with every reason why the declaration cannot work on that hardware.
"""

from __future__ import annotations

from collections.abc import Mapping

from schemas.data.contract import contract
from schemas.data.version import in_range
from schemas.declared.door import effectless
from schemas.declared.environment import values
from schemas.declared.host import DeclaredHost
from schemas.hardware import Drivers, Gpu, Hardware
from schemas.model import Backend, HostPlan, Node, Package, Python, Requirements, Ui
from schemas.plan.driver import drivers
from schemas.plan.ollama import Local, plan_local
from schemas.plan.onnx import plan_onnx, settings_of_onnx
from schemas.plan.room import ASSUMED, is_assumed
from schemas.plan.show import describe, to_dict
from schemas.plan.sources import artifact
from schemas.plan.speech import plan_speech
from schemas.plan.venom import venom_images
from schemas.plan.vllm import plan_vllm, settings_of_vllm
from schemas.reading.problem import PlanError, Problem, listed

__all__ = ["PlanError", "assumed_hardware", "describe", "plan_host", "to_dict"]


def assumed_hardware(declared: DeclaredHost) -> Hardware:
    """The hardware of a plan that is made before a connection.

    The declared architecture, no Python of its own, and one card as the declared VRAM tier promises
    at the least (the smallest tier where it is `auto`). The card is marked as assumed: a plan is
    refused for it only where no card of the tier would do.
    """
    tiers = contract().vram_tiers
    vram_tier = tiers.get(declared.vram_tier) or next(iter(tiers.values()))
    card = Gpu(ASSUMED, f"a card of {vram_tier.name}", vram_tier.min_vram_bytes, "", "")
    return Hardware(arch=declared.arch, python="", memory_bytes=0, gpus=(card,))


def plan_host(declared: DeclaredHost, hardware: Hardware) -> HostPlan:
    """All that the host is to be. Raises `PlanError` with everything that stands against it."""
    problems: list[Problem] = []
    notes: list[str] = [*hardware.remarks]
    release = declared.pins.releases[declared.source.release]
    profile = contract().profiles[declared.profile]
    python = _python(declared, hardware, problems)
    if python is not None and is_assumed(hardware) and not declared.python.version:
        notes.append(f"python: the host's own instead, where it is {release.python}")
    node = _node(declared, hardware, problems)
    uv = _uv(declared, hardware, problems)
    local = plan_local(declared, hardware, problems, notes)
    vllm = plan_vllm(declared, hardware, local.model, problems)
    onnx = plan_onnx(declared, hardware, local.model, problems)
    speech = plan_speech(declared)
    engines = {**settings_of_vllm(vllm), **settings_of_onnx(onnx), **(speech.settings if speech else {})}
    if python is None or node is None or uv is None or problems:
        raise PlanError(problems)
    _effectless(declared, notes)
    notes += effectless(declared.settings)
    return HostPlan(
        host=declared.name,
        ssh=declared.ssh,
        arch=hardware.arch,
        profile=declared.profile,
        services=profile.services,
        source=declared.source,
        images=venom_images(declared, notes),
        development=declared.development,
        requirements=_requirements(declared, release.add),
        python=python,
        uv=uv,
        node=node,
        ui=_ui(declared, local, release.fonts),
        backend=_backend(declared, local, engines, notes),
        door=declared.door,
        vram_tier=local.vram_tier,
        ollama=local.ollama,
        model=local.model,
        mirrors=declared.mirrors,
        ca_bundle=declared.ca_bundle,
        keep_generations=declared.keep_generations,
        engine=hardware.engine if declared.by_image else None,
        proxy=declared.proxy,
        store=declared.store,
        serves_store=declared.serves_store,
        backup=declared.backup,
        metrics=declared.metrics,
        peer=declared.peer,
        pull=declared.pull,
        vllm=vllm,
        onnx=onnx,
        speech=speech,
        drivers=_drivers(declared, hardware, local),
        may_spill=declared.may_spill and local.ollama is not None and bool(hardware.gpus),
        notes=tuple(notes),
    )


def _python(declared: DeclaredHost, hardware: Hardware, problems: list[Problem]) -> Python | None:
    """The host's own interpreter where it is in range and none is asked for; else the pinned one."""
    release = declared.pins.releases[declared.source.release]
    requested = declared.python.version
    if not requested and hardware.python and in_range(hardware.python, release.python):
        return Python(release.python, hardware.python, None)
    version = requested or release.python_use
    _in_range(declared, "python", version, release.python, problems)
    file = artifact(declared, hardware.arch, "python", version, problems)
    return Python(release.python, version, file) if file else None


def _node(declared: DeclaredHost, hardware: Hardware, problems: list[Problem]) -> Node | None:
    release = declared.pins.releases[declared.source.release]
    version = declared.node.version or release.node_use
    _in_range(declared, "node", version, release.node, problems)
    file = artifact(declared, hardware.arch, "node", version, problems)
    return Node(version, file) if file else None


def _in_range(
    declared: DeclaredHost, kind: str, version: str, requires: str, problems: list[Problem]
) -> None:
    if not in_range(version, requires):
        found = f'"{version}", which {declared.source.release} does not run on'
        usable = [v for v in declared.pins.artifacts[kind] if in_range(v, requires)]
        hint = f"pinned and usable: {listed(usable)}"
        problems.append(declared.problem((kind, "version"), found, requires, hint))


def _uv(declared: DeclaredHost, hardware: Hardware, problems: list[Problem]) -> Package | None:
    digest = declared.pins.uv_wheels.get(hardware.arch)
    if digest is None:
        found = f"a host of the architecture {hardware.arch}"
        problems.append(declared.problem((), found, listed(declared.pins.uv_wheels)))
        return None
    return Package("uv", declared.pins.uv_version, digest)


def _drivers(declared: DeclaredHost, hardware: Hardware, local: Local) -> Drivers:
    """What is asked of a driver, for the planned Ollama and for each other that is pinned for the host."""
    if local.ollama is None:
        return Drivers()
    files, images = declared.pins.artifacts["ollama"], declared.pins.images.get("ollama", {})
    others = images if local.ollama.image else [it for it in files if hardware.arch in files[it]]
    return drivers(declared.pins, [local.ollama.version, *others])


def _requirements(declared: DeclaredHost, forgotten: tuple[str, ...]) -> Requirements:
    known = contract().requirements
    tiers = (declared.requirements_tier, *declared.extras)
    files = [file for tier in tiers for file in known[tier].files_of(declared.source.release)]
    return Requirements(
        tier=declared.requirements_tier,
        extras=declared.extras,
        files=tuple(dict.fromkeys(files)),
        add=tuple(dict.fromkeys((*forgotten, *declared.add))),
    )


def _ui(declared: DeclaredHost, local: Local, fonts: tuple[str, ...]) -> Ui:
    port = declared.ports["ui"]
    pins = declared.pins.fonts
    fonts = () if declared.images else fonts
    kind, run = "production", _scope(declared, local, "ui-run")
    if declared.development:
        kind, run = "development", {**run, **_scope(declared, local, "development")}
    return Ui(
        port=port,
        build_env={} if declared.images else _scope(declared, local, "ui-build"),
        run_env={"HOSTNAME": "127.0.0.1", "PORT": str(port), "NODE_ENV": kind, **run},
        fonts=tuple(Package(name, pins[name].version, pins[name].integrity) for name in fonts),
        font_families={name: pins[name].family for name in fonts},
    )


def _backend(declared: DeclaredHost, local: Local, engines: Mapping[str, str], notes: list[str]) -> Backend:
    env_file = {**_scope(declared, local, "backend-file"), **local.backend_file, **engines}
    if "ollama" not in contract().profiles[declared.profile].services:
        given = next((sets for key, sets in contract().cloud if key in declared.secrets), None)
        env_file |= {k: v for k, v in (given or {}).items() if k not in declared.environment}
        if given is None:
            keys = listed(key for key, _ in contract().cloud)
            notes.append(f"no chat is answered before one of these secrets is given: {keys}")
    return Backend(
        port=declared.ports["backend"],
        process_env=_scope(declared, local, "backend-process"),
        env_file=env_file,
        secrets=declared.secrets,
        ready_timeout=declared.ready_timeout,
    )


def _scope(declared: DeclaredHost, local: Local, scope: str) -> dict[str, str]:
    fill = {
        "profile": declared.profile,
        "model": local.model_name,
        "vram_tier": local.vram_tier_name,
        "keep_alive": local.keep_alive,
        **{f"{name}_port": port for name, port in declared.ports.items()},
    }
    special = contract().profiles[declared.profile].environment
    if declared.development and scope != "ui-build":
        special = {**special, **contract().development}
    return values(scope, declared.environment, fill, special)


def _effectless(declared: DeclaredHost, notes: list[str]) -> None:
    """Names that are known and concern nothing on this host."""
    variables = contract().variables
    without = {"container"} if declared.development else {"container", "development"}
    for name in declared.environment:
        if set(variables[name].scope) <= without:
            notes.append(f"{name} concerns only {' and '.join(variables[name].scope)}: no effect here")
