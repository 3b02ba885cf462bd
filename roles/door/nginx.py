"""What of an nginx that is on a host already stands against the door. Asked only where the door changes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyinfra.api.command import QuoteString, StringCommand

from roles.common import paths, remote
from roles.common.look import Seen
from roles.common.refusal import Finding, refuse
from roles.common.resources import Displaced
from roles.common.services import Service
from roles.door.deploy import WORKER, ground
from schemas.model import Door

SCRIPTS = Path(__file__).parent / "scripts"


def unfit(door: Door, service: Service, seen: Seen) -> list[Finding]:
    """What the current host's nginx has against this door; one question, where it is not so already."""
    if "nginx" not in seen.packages or service.runs(seen):
        return []
    answer = remote.ask(StringCommand("sh", "-c", QuoteString((SCRIPTS / "nginx.sh").read_text("utf-8"))))
    if not answer.ok:
        raise refuse("a host that can be asked about its nginx", answer.stderr.strip() or "no answer")
    leaving = [it.path for it in ground() if isinstance(it, Displaced) and it.differs(seen)]
    return findings(door, answer.stdout.splitlines(), leaving, seen)


def findings(door: Door, said: Sequence[str], leaving: Sequence[str], seen: Seen) -> list[Finding]:
    """The same of what the host said. `leaving`: files that will be out of the way."""
    facts: dict[str, list[str]] = {}
    for line in said:
        name, _, value = line.partition("=")
        facts.setdefault(name, []).append(value)
    found = []
    if broken := facts.get("broken"):
        remedy = "mend it, until this says nothing: nginx -t -q"
        found.append(
            Finding("an nginx whose configuration is sound, before our site", "; ".join(broken), remedy)
        )
    if users := [it for it in facts.get("user", []) if it != WORKER]:
        remedy = "install the distribution's package instead"
        found.append(Finding(f"the distribution's nginx, whose workers run as {WORKER}", users[0], remedy))
    if seen.there(paths.SITE) and seen.paths[paths.SITE].get("ours") != "yes":
        found.append(Finding(f"no {paths.SITE} of somebody else's", paths.SITE, "give it another name"))
    wanted = {"door.port": door.port, **({"door.ollama.port": door.ollama.port} if door.ollama else {})}
    for file, _, place in (it.partition(" ") for it in facts.get("listen", [])):
        for setting, port in wanted.items():
            if file not in (paths.SITE, *leaving) and _port(place) == port:
                found.append(
                    Finding(
                        f"port {port} for the door alone",
                        f"another site of nginx listens there: {file} (listen {place})",
                        f"give the door another port in the inventory ({setting}), or take that site away",
                    )
                )
    return list(dict.fromkeys(found))


def _port(place: str) -> int:
    """The port of a `listen` directive: 80 where it names none."""
    last = place.rpartition("]")[2].rpartition(":")[2] if ":" in place or place.isdigit() else ""
    return int(last) if last.isdigit() else 80
