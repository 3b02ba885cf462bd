"""What of an older installation stays behind: what runs, data, and packages of heavier tiers. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from engine.paths import STATE
from engine.progress import size
from roles.migration.installation import Installation

# Packages that only a heavier requirements tier of the contract has. The first that is installed shows it.
_TIERS = {
    "vllm": ("vllm",),
    "onnx": ("onnxruntime-gpu", "onnxruntime-genai-cuda"),
    "onnx-cpu": ("onnxruntime-genai",),
    "onnx-extras": ("faster-whisper", "piper-tts"),
    "academy": ("trl", "unsloth"),
}


def left(found: Installation) -> list[str]:
    """A remark for each, with what to do."""
    return [*_packages(found), *_running(found), *_data(found)]


def _packages(found: Installation) -> Iterator[str]:
    heavy = [tier for tier, names in _TIERS.items() if found.packages & set(names)]
    if heavy:
        yield (
            f"requirements: {found.tree}/.venv has packages of {', '.join(heavy)}. If they are needed: "
            f"`requirements: {{extras: [{', '.join(heavy)}]}}` with `profile: full`"
        )


def _running(found: Installation) -> Iterator[str]:
    if venom := sorted({it.kind for it in found.processes if it.kind in ("backend", "ui")}):
        yield (
            f"what runs from {found.tree} now ({', '.join(venom)}): stop it before the first run (make "
            "stop), which is refused while its ports are taken"
        )
    if found.by_compose:
        yield (
            "containers: stop them before the first run, without -v, which would delete the data: "
            f"docker compose -f {found.tree}/compose/compose.….yml down"
        )
    units = [name for name, state in found.units.items() if state == "active"]
    if units:
        yield (
            f"units that somebody made: {', '.join(units)}. Disable them before the first run "
            f"(systemctl disable --now {' '.join(units)}), which does not take over what it did not make"
        )
    elif servers := sorted({it.kind for it in found.processes if it.kind in ("ollama", "vllm")}):
        yield (f"what runs beside it ({', '.join(servers)}): stop it before the first run")


def _data(found: Installation) -> Iterator[str]:
    texts = {
        it.path: f"{it.path} ({files(it.files)}, {size(it.bytes)}, older than a week: {it.old})"
        for it in found.data
    }
    if copied := [path for path in ("data", "workspace") if path in texts]:
        yield (
            f"data: {' and '.join(texts[it] for it in copied)} in {found.tree}. After the first run stop the "
            "backend and copy it with new times, because from v1.7 on Venom deletes data older than "
            "7 days, at its start and daily: "
            + "; ".join(_copy(f"{found.tree}/{it}", f"{STATE}/{it}") for it in copied)
        )
    if "models" in texts:
        yield (f"data: {texts['models']} is left behind: Gemma 3 is pulled again, by its digest")
    if found.volumes:
        yield (
            f"volumes: {', '.join(found.volumes)} hold data, workspace and weights. Copy the first two out "
            "of /var/lib/docker/volumes/NAME/_data, with new times as above; the weights are pulled again"
        )


def files(count: int) -> str:
    """A number of files, in words."""
    return "1 file" if count == 1 else f"{count} files"


def _copy(source: str, target: str) -> str:
    # cp gives new times unless it has to keep the old ones.
    paths = f"{shlex.quote(f'{source}/.')} {shlex.quote(f'{target}/')}"
    return f"cp --recursive {paths} && chown --recursive venom: {target}"
