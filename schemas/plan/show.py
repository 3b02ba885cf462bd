"""Tells a plan: as data that can be compared and kept, and as a block that an operator reads.

No secret is in a plan, so none can come out here: secrets stand as the references they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from schemas.declared.references import reference
from schemas.hardware import Engine
from schemas.model import Artifact, Door, HostPlan, Image, Ollama, Secret
from schemas.plan.memory import gib

# How the host is reached, what is asked of it, and remarks: no part of what it becomes.
_NOT_APPLIED = ("ssh", "drivers", "notes")
# A plan without these is the same, word by word, as before there were any.
_OPTIONAL = (
    *("store", "serves_store", "peer", "pull", "backup", "metrics", "may_spill"),
    *("vllm", "onnx", "speech"),
)
_HELD_BY_IMAGES = ("requirements", "python", "uv", "node")  # nothing is made with them where Venom is images


def to_dict(plan: HostPlan) -> dict[str, Any]:
    """What is applied to the host, as JSON can hold it: the same plan gives the same data."""
    left_out = {*_NOT_APPLIED, *(_HELD_BY_IMAGES if plan.images else ("images",))}
    left_out |= {name for name in _OPTIONAL if not getattr(plan, name)}
    applied = {
        field.name: _plain(getattr(plan, field.name)) for field in fields(plan) if field.name not in left_out
    }
    if plan.serves_store and not plan.serves_store.pullers:
        del applied["serves_store"]["pullers"]
    return applied


def serving_name(plan: HostPlan) -> str:
    """What serves, for the operator."""
    if plan.development:
        return f"Venom from {plan.development.tree} (development)"
    return release_name(plan)


def release_name(plan: HostPlan) -> str:
    """The release that the host is built from, for the operator."""
    source = plan.source
    if plan.images:
        both = (plan.images.backend, plan.images.frontend)
        return f"Venom {source.release} from images ({', '.join(it.sha256[:12] for it in both)})"
    if source.kind == "tree":
        return f"Venom from {source.location}"
    return f"Venom {source.release} ({source.commit[:12]})"


def describe(plan: HostPlan) -> str:
    """The plan as a block of text, one line a subject."""
    ssh = plan.ssh
    rows: list[tuple[str, str]] = [
        ("reached", f"{ssh}{f' port {ssh.port}' if ssh.port else ''}{', sudo' if ssh.sudo else ''}"),
        ("profile", f"{plan.profile}: {', '.join(plan.services)}"),
        ("venom", _source(plan)),
        *_development(plan),
        *_parts(plan),
        ("ports", _ports(plan)),
        *_door(plan.door),
    ]
    rows += [*_local(plan), *_engines(plan)]
    rows += _mirrors(plan)
    if plan.metrics:
        speed = ", and how fast the model answers" if plan.metrics.speed else ""
        rows.append(("metrics", f"once a minute in a file for node-exporter{speed}"))
    if plan.pull:
        rows.append(("pull", f"its signed plan from the store, every {plan.pull.every // 60} min"))
    rows += _environment("backend", plan.backend.process_env)
    rows += _environment("venom.env", plan.backend.env_file)
    if plan.ollama:
        rows += _environment("ollama", plan.ollama.env)
    rows += _environment("ui build", plan.ui.build_env)
    rows += [("secret", f"{name}={reference(s)}") for name, s in plan.backend.secrets.items()]
    rows += [("note", note) for note in plan.notes]
    previous = ""
    lines = [plan.host]
    for subject, text in rows:
        lines.append(f"  {subject if subject != previous else '':<10} {text}".rstrip())
        previous = subject
    return "\n".join(lines)


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return reference(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _source(plan: HostPlan) -> str:
    source = plan.source
    if plan.images:
        return f"{source.release}, from images"
    if source.kind == "tree":
        return f"the tree {source.location}, as {source.release}"
    return f"{source.release}, commit {source.commit[:12]} of {source.location}"


def _development(plan: HostPlan) -> list[tuple[str, str]]:
    work = plan.development
    return [("runs", f"{work.tree} as {work.user}: uvicorn --reload, next dev")] if work else []


def _parts(plan: HostPlan) -> list[tuple[str, str]]:
    if plan.images:
        both = (("backend", plan.images.backend), ("ui", plan.images.frontend))
        return [(part, f"image {_image(it, plan.engine)}") for part, it in both]
    return [
        ("packages", _packages(plan)),
        ("python", f"{plan.python.version} ({_origin(plan.python.artifact)})"),
        ("node", f"{plan.node.version} ({_origin(plan.node.artifact)})"),
    ]


def _packages(plan: HostPlan) -> str:
    wanted = plan.requirements
    more = f" + {', '.join(wanted.add)}" if wanted.add else ""
    return f"{', '.join((wanted.tier, *wanted.extras))}: {', '.join(wanted.files)}{more}"


def _origin(artifact: Artifact | None) -> str:
    if artifact is None:
        return "the host's own"
    return f"sha256 {artifact.sha256[:12]}… from {artifact.urls[0].split('/')[2]}"


def _ollama(ollama: Ollama, engine: Engine | None) -> str:
    if ollama.image is None or engine is None:
        return _origin(ollama.artifact)
    return f"image {_image(ollama.image, engine)}"


def _image(image: Image, engine: Engine | None) -> str:
    unit = "a quadlet" if engine and engine.quadlets else "a plain unit"
    how = f"{engine.kind if engine else 'no engine'}, {unit}"
    return f"sha256 {image.sha256[:12]}… from {image.places[0].split('/')[2]}; {how}"


def _ports(plan: HostPlan) -> str:
    ollama = f", ollama {plan.ollama.port}" if plan.ollama else ""
    return f"backend {plan.backend.port}, ui {plan.ui.port}{ollama}; on loopback"


def _door(door: Door) -> list[tuple[str, str]]:
    scheme = "http" if door.tls == "none" else f"https ({door.tls} certificate)"
    who = f"the host itself and {', '.join(door.allow_from)}" if door.allow_from else "the host itself"
    rows = [("door", f"{scheme}, port {door.port}, for {who}; as {', '.join(door.names)}")]
    rows += [("door", f"user {name}={reference(secret)}") for name, secret in door.users.items()]
    if door.runtime_control:
        rows.append(("door", "visitors may start and stop services (POST /api/v1/runtime/…)"))
    if door.ollama:
        networks = ", ".join(door.ollama.allow_from)
        rows.append(("door", f"Ollama itself, port {door.ollama.port}, for the host itself and {networks}"))
    if door.firewall:
        rows.append(("door", "firewall: nftables, a table of its own"))
    return rows


def _local(plan: HostPlan) -> list[tuple[str, str]]:
    if plan.ollama is None or plan.model is None or plan.vram_tier is None:
        return [("model", "none on the host")]
    vram_tier, need = plan.vram_tier, plan.model.need
    slots = f"{vram_tier.num_parallel} slot{'s' if vram_tier.num_parallel != 1 else ''}"
    context = f"{slots} of {vram_tier.context_length} tokens, KV cache {vram_tier.kv_cache_type}"
    parts = f"{gib(need.weights)} weights, {gib(need.kv_cache)} KV cache"
    rest = gib(need.graph + need.reserve)
    return [
        ("ollama", f"{plan.ollama.version} ({_ollama(plan.ollama, plan.engine)})"),
        ("vram tier", f"{vram_tier.name}: {context}"),
        ("model", f"{plan.model.name} {plan.model.digest[:12]} ({gib(plan.model.size)})"),
        ("memory", f"{gib(need.total)} ({parts}, {rest} graph and reserve)"),
        *([("card", "part of the model may lie outside VRAM (gpu.spill)")] if plan.may_spill else []),
    ]


def _engines(plan: HostPlan) -> list[tuple[str, str]]:
    rows = []
    if vllm := plan.vllm:
        how = f"{vllm.version}, port {vllm.port}; {vllm.share} of the card, context {vllm.context}"
        rows.append(("vllm", how))
    if onnx := plan.onnx:
        rows.append(("onnx", f"in the backend's process, on {onnx.provider}; {gib(onnx.memory)} of memory"))
    for name, (tree, _) in plan.trees.items():
        files = f"{len(tree.files)} files, {gib(tree.size)}"
        rows.append((name, f"{tree.repository} {tree.commit[:12]}: {files}"))
    return sorted(rows, key=lambda row: row[0], reverse=True)


def _mirrors(plan: HostPlan) -> list[tuple[str, str]]:
    mirrors = plan.mirrors
    rows = _store(plan)
    rows += [("mirror", f"files {url}") for url in mirrors.files]
    for kind, place in (("pypi", mirrors.pypi), ("npm", mirrors.npm), ("ollama", mirrors.ollama)):
        if place:
            rows.append(("mirror", f"{kind} {place}"))
    rows += [("mirror", f"images {url}") for url in mirrors.images]
    if plan.proxy:
        by = f", as {reference(plan.proxy.credentials)}" if plan.proxy.credentials else ""
        directly = f"; directly: {', '.join(plan.proxy.exempt)}" if plan.proxy.exempt else ""
        rows.append(("proxy", f"{plan.proxy.url}{by}{directly}"))
    if plan.ca_bundle:
        rows.append(("ca bundle", plan.ca_bundle))
    if plan.backup:
        kept = ", ".join(f"{count} {span}" for span, count in plan.backup.keep.items())
        rows.append(("backup", f"{plan.backup.repository} at {plan.backup.at}, keeps {kept}"))
    return rows


def _store(plan: HostPlan) -> list[tuple[str, str]]:
    rows = []
    if plan.store:
        after = "without the Internet" if plan.store.closed else "then the Internet"
        rows.append(("store", f"{plan.store.url}, {after}"))
    if plan.serves_store:
        networks = ", ".join(plan.serves_store.allow_from)
        rows.append(
            ("store", f"served here, port {plan.serves_store.port}, for the host itself and {networks}")
        )
    if plan.peer:
        networks = ", ".join(plan.peer.allow_from)
        rows.append(("store", f"passed on to {networks}, port {plan.peer.port}: large contents"))
    return rows


def _environment(subject: str, env: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(subject, f"{name}={value}") for name, value in env.items()]
