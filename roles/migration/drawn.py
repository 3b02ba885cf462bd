"""The inventory that reproduces an older installation, and what of it cannot be carried over. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from engine.paths import ENV_FILE
from roles.migration.installation import Installation
from roles.migration.left import files, left
from schemas.data.contract import Variable, contract
from schemas.data.pins import Pins
from schemas.declared.environment import as_text, form

# Names that something else of the inventory says.
_SAID_ELSEWHERE = {"VENOM_RUNTIME_PROFILE", "VENOM_OLLAMA_PROFILE", "OLLAMA_MODEL", "LLM_MODEL_NAME"}


@dataclass
class Drawn:
    """One host for an inventory, and the remarks that stand above it."""

    name: str
    host: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The inventory as a file."""
        lines = ["Not carried over, or to be done:"]
        for note in self.notes:
            lines += textwrap.wrap(
                f"- {note}", 100, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
            )
        above = "\n".join(f"# {line}" for line in (lines if self.notes else ["All of it is carried over."]))
        data = {"hosts": {self.name: self.host}}
        return f"{above}\n\n{yaml.safe_dump(data, sort_keys=False, allow_unicode=True)}"


def draw(found: Installation, name: str, reached: Mapping[str, Any], pins: Pins) -> Drawn:
    """The host as the inventory has it. `reached`: its address and ssh settings."""
    drawn = Drawn(name, dict(reached))
    chosen = found.chosen()
    _source(drawn, found, pins)
    _profile(drawn, found)
    _model(drawn, found, pins)
    _ports(drawn, found)
    _environment(drawn, found, chosen)
    _secrets(drawn, found)
    drawn.notes += left(found)
    return drawn


def _source(drawn: Drawn, found: Installation, pins: Pins) -> None:
    pinned = next((it.name for it in pins.releases.values() if it.commit == found.commit), "")
    claimed = f"v{found.version}"
    if pinned:
        drawn.host["venom"] = {"release": pinned}
    elif found.commit and found.remote.startswith("https://"):
        drawn.host["venom"] = {"commit": found.commit, "git": found.remote}
        drawn.notes.append(
            f"venom: commit {found.commit[:12]} is none of the pinned releases; write `like: v…` beside it "
            f"for the one that it resembles (it calls itself {found.version or 'nothing'})"
        )
    else:
        release = claimed if claimed in pins.releases else contract().release
        drawn.host["venom"] = {"release": release}
        drawn.notes.append(
            f"venom: {found.tree} has no commit that a server has, and calls itself "
            f"{found.version or 'nothing'}: {release} is assumed"
        )
    if found.changed:
        drawn.notes.append(
            f"venom: {files(found.changed)} of the code changed since the commit. The changes are left "
            "behind; to serve them, copy the checkout to this machine and write `venom: {tree: …, like: v…}`"
        )


def _profile(drawn: Drawn, found: Installation) -> None:
    values = found.settings.values
    profile = values.get("VENOM_RUNTIME_PROFILE") or contract().profile
    if values.get("ACTIVE_LLM_SERVER", "").lower() == "none":
        profile = "llm_off"
    if profile in contract().profiles:
        drawn.host["profile"] = profile
    else:
        drawn.host["profile"] = contract().profile
        drawn.notes.append(f"profile: {profile!r} is none of the contract's; {contract().profile} is assumed")
    if values.get("ACTIVE_LLM_SERVER", "").lower() == "vllm":
        drawn.notes.append("vLLM: Ollama serves the model here; `engines` can run vLLM beside it")
    vram_tier = values.get("VENOM_OLLAMA_PROFILE", "")
    if vram_tier in contract().vram_tiers and vram_tier != contract().vram_tier:
        drawn.host["vram_tier"] = vram_tier
    elif vram_tier and vram_tier not in contract().vram_tiers:
        drawn.notes.append(
            f"vram_tier: {vram_tier!r} is none of the contract's; {contract().vram_tier} holds"
        )


def _model(drawn: Drawn, found: Installation, pins: Pins) -> None:
    values = found.settings.values
    model = values.get("OLLAMA_MODEL") or values.get("LLM_MODEL_NAME") or ""
    if drawn.host.get("profile") == "llm_off" or not model:
        return
    if model in pins.weights:
        drawn.host["model"] = model
    else:
        drawn.notes.append(
            f"model: {model!r} has no pinned digest ({', '.join(pins.weights)} have); "
            f"{contract().model} is assumed"
        )


def _ports(drawn: Drawn, found: Installation) -> None:
    known = contract().ports
    ports = {it.kind: it.port for it in found.processes if it.port and it.kind in known}
    if found.by_compose:
        # That of the newest file where several differ: which one was used is not known.
        for mapped in found.compose.values():
            ports |= {kind: mapped[str(port)] for kind, port in known.items() if str(port) in mapped}
    if other := {kind: port for kind, port in ports.items() if port != known[kind]}:
        drawn.host["ports"] = other
    drawn.notes.append(
        "ports: Venom answered the whole network on 8000 and 3000, in containers Ollama on 11434, too. "
        "Here an SSH tunnel is the way in; `door: {exposure: lan, allow_from: […]}` opens it to a network "
        "(docs/door.md)"
    )


def _environment(drawn: Drawn, found: Installation, chosen: Mapping[str, str]) -> None:
    known, environment, unknown = contract(), {}, []
    allowed = known.profiles[drawn.host.get("profile", known.profile)].allowed
    for name, value in sorted(chosen.items()):
        variable = known.variables.get(name)
        if name in _SAID_ELSEWHERE:
            continue
        if variable is None:
            unknown.append(name)
        elif not _carried(name, variable):
            drawn.notes.append(f"{name}: {variable.fixed_by or 'systemd'} decides it here")
        elif (text := as_text(variable, value)) is None:
            drawn.notes.append(f"{name}: {value!r} is not {form(variable)}")
        elif name in allowed and text not in allowed[name]:
            drawn.notes.append(f"{name}: the profile decides it here")
        elif text != variable.default:
            environment[name] = text
    if environment:
        drawn.host["environment"] = environment
    if other := _as_in_the_example(found):
        drawn.notes.append(
            f"settings that equal the example; the contract's values apply here: {', '.join(other)}"
        )
    if unknown:
        drawn.notes.append(
            f"settings that the inventory has no name for: {', '.join(unknown)}. Write them into "
            f"{ENV_FILE} after the first run, or into Venom's panel: unmanaged keys there stay"
        )


def _as_in_the_example(found: Installation) -> list[str]:
    """Names with values that nobody chose, and that are others here."""
    it = found.settings

    def other(name: str, variable: Variable) -> bool:
        value = it.values.get(name, "")
        # A port is listed by itself; other braces are filled in by what the inventory says.
        return (
            value != ""
            and value == it.example.get(name)
            and _carried(name, variable)
            and "port}" not in variable.default
            and as_text(variable, value) != variable.default
        )

    return [name for name, variable in contract().variables.items() if other(name, variable)]


def _carried(name: str, variable: Variable) -> bool:
    """Whether the inventory's `environment` may decide it on a host."""
    decided = variable.fixed_by or "container" in variable.scope or name.endswith("_COMMAND")
    return not decided and name not in _SAID_ELSEWHERE


def _secrets(drawn: Drawn, found: Installation) -> None:
    known = contract().secret()
    given = [name for name in found.settings.secrets if name in known]
    others = [name for name in found.settings.secrets if name not in known]
    path = f"{found.tree}/{found.file}"
    if given:
        drawn.host["secrets"] = {name: f"env:{name}" for name in given}
        drawn.notes.append(
            f"secrets: {', '.join(given)}, in {path}; their values were not read. Export each before a run, "
            "or refer to a file or a command instead"
        )
    if others:
        drawn.notes.append(
            f"secrets without a name in the inventory: {', '.join(others)}, in {path}. Write them into "
            f"{ENV_FILE} after the first run"
        )
