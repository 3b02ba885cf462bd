"""What the inventory says of what a host reports of itself."""

from __future__ import annotations

from schemas.model import Metrics
from schemas.reading.inherit import Settings
from schemas.reading.problem import Problem


def metrics_of(settings: Settings, problems: list[Problem]) -> Metrics | None:
    """What it reports; None: nothing. What is wrong with it is added to `problems`."""
    speed = settings.get("metrics", "speed", default=False)
    if settings.get("metrics", "textfile", default=False):
        return Metrics(speed)
    if speed:
        hint = "add textfile: true"
        problems.append(settings.problem(("metrics", "speed"), "speed without textfile", "both", hint))
    return None
