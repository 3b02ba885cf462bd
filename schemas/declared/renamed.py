"""Settings that got another name (`renamed.yaml`), for those who still write the old one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from schemas.reading.document import read

_PATH = Path(__file__).with_name("renamed.yaml")


@dataclass(frozen=True)
class Renamed:
    """What a setting is called now."""

    to: str  # dotted, from the host
    since: str  # version of the provisioner


@cache
def renamed() -> dict[str, Renamed]:
    """The settings that were renamed, by their old names, dotted from the host."""
    return {str(old): Renamed(**entry) for old, entry in read(_PATH).data["renamed"].items()}
