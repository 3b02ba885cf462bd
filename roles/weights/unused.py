"""Weights that the plan of a host does not use: kept, named, and deleted when the operator says so."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pyinfra.api.operation import operation
from pyinfra.context import host

from engine import outcome, remote
from engine.observation import Observed
from engine.operations import Commands, log_line, record
from engine.paths import MANIFESTS, MODELS

PURGE = Path(__file__).parent / "scripts" / "purge.py"


@dataclass(frozen=True)
class Unused:
    """Models on a host that its plan does not name."""

    manifests: Mapping[str, int]  # path → bytes of its layers, which several may share

    @property
    def names(self) -> str:
        """The models, e.g. "gemma3:4b"; with its registry where that is not Ollama's own."""
        shown = []
        for path in sorted(self.manifests):
            model, _, tag = path.removeprefix(f"{MANIFESTS}/").rpartition("/")
            shown.append(f"{model.removeprefix('registry.ollama.ai/library/')}:{tag}")
        return ", ".join(shown)

    def __str__(self) -> str:
        return f"{self.names} ({sum(self.manifests.values()) / 1e9:.1f} GB)"


def unused_weights(made: Collection[str], observed: Observed) -> Unused:
    """What of the weights on a host its plan does not use. `made`: the paths that its jobs make."""
    return Unused({path: size for path, size in observed.models.items() if path not in made})


def report_unused(models: Unused, purge: bool) -> None:
    """Say at the end of the run what could be freed on the current host, unless it goes now."""
    if models.manifests and not purge:
        outcome.adds(
            host.name,
            f"kept, but not used by this plan: weights {models}. --data purge=yes deletes them; "
            "then no generation that needs them can serve again",
        )


@operation()
def weights_purged(models: Unused, observed: Observed) -> Commands:
    """
    Delete the weights that the plan does not use.

    + models: which
    + observed: what the host has
    """
    if not models.manifests:
        host.noop("no weights but the plan's")
        return
    yield log_line(f"deleted: {models}")
    request = json.dumps({"models": MODELS, "manifests": sorted(models.manifests)})
    yield remote.python(PURGE.name, request, PURGE.parent)
    yield record("deleted", f"weights {models}")
