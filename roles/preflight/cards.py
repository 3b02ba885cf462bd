"""What the probe says of NVIDIA's cards, as data: what can be used, to be remarked, or is wrong. Pure.

The forms were taken from nvidia-smi's own output. Its exit status shows little: a warning about a
damaged infoROM ends it with 14 although the card computes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from roles.preflight.loaded import UNSEEN, Loaded
from schemas.hardware import Gpu
from schemas.plan.memory import GIB, MIB, gib

# name, memory.total (MiB), driver_version and, of a driver that knows them, compute_cap, mig.mode.current and
# uuid. A name may have commas.
_CARD = re.compile(
    r"(?P<name>\S.*?), (?P<memory>\d+|\[[^]]+\]), (?P<driver>[\d.]+|\[[^]]+\])"
    r"(, (?P<capability>[\d.]+|\[[^]]+\])(, (?P<mig>[A-Za-z]+|\[[^]]+\])(, (?P<uuid>[\w-]+|\[[^]]+\]))?)?)?"
)
# Of a card that has none of its own (Jetson, GB10): it computes in the host's memory.
_UNIFIED = ("[n/a]", "[not supported]")
_REMARK = re.compile(r"warning|note:|.*infoROM", re.IGNORECASE)
# What it prints on a host without a card, too. The kernel's list of devices shows whether there is one.
_NO_CARD = re.compile(r"No devices were found|.*couldn't communicate with the NVIDIA driver", re.IGNORECASE)
# The card whose instances follow, "GPU 0: NVIDIA A100-SXM4-80GB (UUID: GPU-5c…)".
_WHOLE = re.compile(r"GPU \d+: .*\(UUID: (?P<uuid>[\w-]+)\)")
# "MIG 3g.40gb", and "MIG 1c.3g.40gb" where the instance's processors are divided once more.
_SLICE = re.compile(r"\s*MIG (\d+c\.)?\d+g\.(?P<size>\d+)gb\b")
# What an instance can use of the size in its name, at least (1g.5gb has 4864 MiB, 3g.40gb 40192).
_USABLE = 0.95


@dataclass(frozen=True)
class Cards:
    """The cards of a host."""

    usable: tuple[Gpu, ...] = ()
    remarks: tuple[str, ...] = ()
    trouble: str = ""  # why there is none to use although one is there; else empty


def cards(
    lines: Sequence[str],
    slices: Sequence[str],
    devices: Sequence[str],
    memory: int,
    loaded: Loaded = UNSEEN,
) -> Cards:
    """Read what nvidia-smi printed.

    `slices`: what it lists of MIG. `devices`: the kernel's addresses of NVIDIA's display devices on PCI.
    `memory`: the host's main memory, in bytes. `loaded`: the driver as kernel and programs have it.
    """
    usable, remarks, wrong, none = [], [], [], []
    for line in filter(None, map(str.strip, lines)):
        match = _CARD.fullmatch(line)
        if match:
            card, why = _card(match, _instances(slices, match["uuid"] or ""), memory)
            usable += [card] if card else []
            wrong += [why] if why and not card else []
            remarks += [why] if why and card else []
            remarks += [it for it in loaded.remarks(card) if it not in remarks] if card else []
        elif _REMARK.match(line):
            remarks.append(f"nvidia-smi: {line}")
        elif _NO_CARD.match(line):
            none.append(line)
        else:
            wrong.append(line)
    if usable:
        return Cards(tuple(usable), (*remarks, *(f"a card is not used: {it}" for it in [*wrong, *none])))
    if wrong or (none and devices):
        module = [f"(the kernel has loaded driver {loaded.driver})"] if loaded.driver else []
        return Cards((), tuple(remarks), " ".join([*wrong, *none, *module]))
    if none:
        remarks.append(f"there is no NVIDIA card, although nvidia-smi is installed: {none[0]}")
    elif devices:
        lacks = f"no nvidia-smi, only driver {loaded.driver}" if loaded.driver else "no driver"
        remedy = "" if loaded.driver else "\ndo        install one, or let a run: gpu: {driver: install}"
        remarks.append(f"an NVIDIA card is there ({', '.join(devices)}) but {lacks}: it is not used{remedy}")
    return Cards((), tuple(remarks))


def _instances(slices: Iterable[str], uuid: str) -> list[int]:
    """The sizes of a card's instances, in GB: of all cards where it is not known which is which."""
    sizes: dict[str, list[int]] = {}
    whole = ""
    for line in slices:
        if head := _WHOLE.match(line):
            whole = head["uuid"]
        elif part := _SLICE.match(line):
            sizes.setdefault(whole, []).append(int(part["size"]))
    return sizes.get(uuid, []) if uuid.startswith("GPU-") else [size for it in sizes.values() for size in it]


def _card(match: re.Match[str], sizes: Sequence[int], memory: int) -> tuple[Gpu | None, str]:
    """The card, with what to remark; or None, with why it cannot be used."""
    name, capability = match["name"], match["capability"] or ""
    capability = "" if capability.startswith("[") else capability
    if match["mig"] == "Enabled":
        if not sizes:
            return None, f"{name}: MIG is enabled, but it has no instance"
        size = int(sizes[0] * GIB * _USABLE)
        remark = f"{name} is divided by MIG: Ollama uses its first instance, {gib(size)}"
        return Gpu("nvidia", name, size, match["driver"], capability), remark
    if match["memory"].isdigit():
        return Gpu("nvidia", name, int(match["memory"]) * MIB, match["driver"], capability), ""
    if match["memory"].lower() in _UNIFIED:
        return Gpu("nvidia", name, memory, match["driver"], capability, unified=True), ""
    return None, f"{name}: its memory is {match['memory']}"
