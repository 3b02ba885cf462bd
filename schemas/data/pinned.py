"""Which values the product's own pins know, for remedies: what is advised must not be refused next."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from schemas.reading.document import read

_PATH = Path(__file__).with_name("pins.yaml")


def pinned(setting: str) -> tuple[str, ...]:
    """The values that a setting (dotted, from the host) may have by the pins; empty: they say nothing."""
    data = _pins()
    kind, _, name = setting.partition(".")
    found: dict[str, Any] = {}
    if setting == "model":
        found = data["weights"]
    elif setting in ("venom.release", "venom.like"):
        found = data["releases"]
    elif name == "version":
        found = data["artifacts"].get(kind, {})
    return tuple(map(str, found))


def version_meant(setting: str, written: str) -> str:
    """The pinned version that is meant by another spelling: with v or without, its beginning, latest."""
    known = pinned(setting)
    if written.lower() in ("latest", "stable", "newest", "lts"):
        return max(known, key=_numbers, default="")
    for form in (written, written.removeprefix("v"), f"v{written}"):
        begin = [it for it in known if it == form or it.startswith(f"{form}.")]
        if begin:
            return max(begin, key=_numbers)
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(it) for it in version.removeprefix("v").split(".") if it.isdigit())


@cache
def _pins() -> dict[str, Any]:
    pins: dict[str, Any] = read(_PATH).data
    return pins
