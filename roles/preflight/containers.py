"""What must be true of a host before containers run there. Pure: facts, plan and look in, findings out."""

from __future__ import annotations

import re

from engine import paths
from engine.observation import Observed
from engine.refusal import Finding
from roles.preflight.facts import Facts, Listener
from schemas.data.systems import systems
from schemas.data.version import at_least
from schemas.model import HostPlan

# The oldest podman that the plain unit was proven with.
OLDEST_PODMAN = "4.3"
NVIDIA = "nvidia.com/gpu"

# The scope in which podman and Docker start a container, or podman who watches it; and, if that is not
# root, whose it is.
_SCOPE = re.compile(
    r"(?P<kind>libpod|docker)-(?:conmon-|payload-)?(?P<id>[0-9a-f]{12})[0-9a-f]*\.scope(?:@(?P<user>\d+))?"
)
_FORWARDERS = ("docker-proxy", "rootlessport")


def findings(plan: HostPlan, facts: Facts) -> list[Finding]:
    """What stands between this host and the containers of its plan."""
    if plan.engine is None:
        return []
    found = []
    if plan.engine.kind == "podman" and facts.podman and not at_least(facts.podman, OLDEST_PODMAN):
        first = next(it for it in systems().values() if at_least(it.podman, OLDEST_PODMAN))
        found.append(
            Finding(
                f"podman {OLDEST_PODMAN} or later for an image",
                facts.podman,
                f"install a newer one ({first.name} has {first.podman}), or write `install: binary`",
            )
        )
    cards = plan.ollama.cards if plan.ollama else ()
    if "nvidia" in cards and NVIDIA not in facts.cdi:
        found.append(
            Finding(
                f"a CDI specification of {NVIDIA} (/etc/cdi, /run/cdi), which gives a container the card",
                f"{', '.join(facts.cdi) or 'no specification'}",
                "install nvidia-container-toolkit, then: "
                "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
            )
        )
    return found


def foreign_quadlet(unit: str, observed: Observed) -> str:
    """The file of a quadlet of this unit that somebody else put there; empty where there is none."""
    file = f"{paths.QUADLETS}/{unit.removesuffix('.service')}.container"
    return file if observed.there(file) and observed.paths[file].get("ours") != "yes" else ""


def of_listener(owner: Listener) -> str:
    """That who listens is a container, for the operator; empty where it is none."""
    if match := _SCOPE.fullmatch(owner.unit):
        return f"a container of {_engine(match)}{_user(match)}: {match['id']}"
    return f"the port of a container, {owner.unit}" if owner.process in _FORWARDERS else ""


def how_to_stop(owner: Listener) -> str:
    """What to do about who listens."""
    if match := _SCOPE.fullmatch(owner.unit):
        as_user = f"sudo -u '#{match['user']}' " if match["user"] else ""
        return f"{as_user}{_engine(match).lower()} stop {match['id']}"
    return "stop it" if owner.process not in _FORWARDERS else "stop it (docker ps, podman ps)"


def _engine(match: re.Match[str]) -> str:
    return "Docker" if match["kind"] == "docker" else "podman"


def _user(match: re.Match[str]) -> str:
    return f" of user {match['user']} (rootless)" if match["user"] else ""
