"""Room for the copy of Venom's data that a switch to other code makes: asked only where one is due."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from engine import paths, remote
from engine.answers import data, understood
from engine.observation import Observed
from engine.refusal import Finding, refuse

SCRIPTS = Path(__file__).parent / "scripts"
MODULES = ("switch_files.py", "snapshots.py")


class _Room(TypedDict):
    needed: int  # bytes
    free: int


def unfit(unit: str, code: str, observed: Observed) -> Sequence[Finding]:
    """What stands against that copy on the current host. `code`: the key of what is to run in the unit."""
    if not due(unit, code, observed):
        return ()
    answer = remote.ask(
        remote.python("see_room.py", paths.STATE, SCRIPTS, arguments=[paths.SNAPSHOTS], modules=MODULES)
    )
    if not answer.ok:
        raise refuse("a host that lists its data", answer.stderr.strip() or "no answer")
    return understood("how much room there is for a copy of its data", answer.stdout, findings)


def due(unit: str, code: str, observed: Observed) -> bool:
    """Whether a switch to this code copies what the present one has written."""
    # Unit, code and settings make a backend's fingerprint; a developer's tree has no code.
    runs = observed.units.get(unit, {}).get("Fingerprint", "").split(".")
    return bool(observed.current) and (len(runs) != 3 or runs[1] != code)


def findings(text: str) -> list[Finding]:
    """What the script printed, judged. Raises what `answers.data` raises."""
    room = data(text, _Room)
    if room["needed"] <= room["free"]:
        return []
    return [
        Finding(
            f"{room['needed'] / 1e9:.2f} GB free for {paths.SNAPSHOTS}: a copy of the data before the switch",
            f"{room['free'] / 1e9:.2f} GB",
            "free some space; or mount a larger file system there",
        )
    ]
