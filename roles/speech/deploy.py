"""Speech: the memory that its models take in the backend's process, and which versions compute there.

Its packages come with the backend's (the tier onnx-extras), its models as trees, its settings as the
backend's: there is no unit and no port. Absent, nothing of it is on the host.
"""

from __future__ import annotations

from engine import paths
from engine.component import Component
from schemas.model import HostPlan

# Of the environment that serves, whatever the plan says meanwhile.
_PACKAGES = f"{paths.CURRENT}/venv/lib/python3*/site-packages"


def _version(package: str) -> tuple[str, ...]:
    return ("sh", "-c", rf"ls -d {_PACKAGES}/{package}-*.dist-info | sed 's/.*-\([^-]*\)\.dist-info/\1/'")


VERSIONS = {"faster-whisper": _version("faster_whisper"), "piper": _version("piper_tts")}


def component(plan: HostPlan) -> Component:
    """Speech; absent where the plan has none."""
    if plan.speech is None:
        return Component(name="speech")
    return Component(name="speech", memory=plan.speech.memory, versions=VERSIONS)
