"""What of an nginx, or a packet filter, that is on a host already stands against the door.

Asked only where the door changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyinfra.api.command import QuoteString, StringCommand

from engine import paths, remote
from engine.observation import Observed
from engine.refusal import Finding, refuse
from engine.resources import Diverted
from engine.services import Service
from roles.door.deploy import WORKER, prerequisites
from schemas.model import Door

SCRIPTS = Path(__file__).parent / "scripts"


def unfit(door: Door, service: Service, observed: Observed) -> list[Finding]:
    """What the current host's nginx has against this door; one question, where it is not so already."""
    own = _own(observed)
    # Also without the package: those of other makers are called otherwise, and so are some of Ubuntu's.
    if own or not observed.units.get(paths.NGINX, {}).get("FragmentPath") or service.runs(observed):
        return [*own, *_table(door, observed)]
    answer = remote.ask(StringCommand("sh", "-c", QuoteString((SCRIPTS / "nginx.sh").read_text("utf-8"))))
    if not answer.ok:
        raise refuse("a host that answers about its nginx", answer.stderr.strip() or "no answer")
    leaving = [it.path for it in prerequisites() if isinstance(it, Diverted) and it.differs(observed)]
    return [*findings(door, answer.stdout.splitlines(), leaving), *_table(door, observed)]


def _own(observed: Observed) -> list[Finding]:
    """A unit of nginx's that no package brought: the distribution's would be installed beside it, unused."""
    unit = observed.units.get(paths.NGINX, {})
    file = unit.get("FragmentPath", "")
    # What we mask for a while, we mask until the next boot.
    if unit.get("UnitFileState") == "masked":
        return [Finding("an nginx that may run", "nginx.service is masked", "systemctl unmask nginx.service")]
    by_hand = unit.get("LoadState") == "loaded" and file.startswith(f"{paths.UNITS}/")
    if not by_hand or "nginx" in observed.packages:
        return []
    remedy = f"install the distribution's package instead: systemctl disable --now nginx; rm {file}"
    return [Finding("the distribution's nginx, or none", f"{file}, which no package brought", remedy)]


def _table(door: Door, observed: Observed) -> list[Finding]:
    """A table of the packet filter that has the name of ours, where ours was never loaded."""
    if (
        not door.firewall
        or observed.ours(f"{paths.UNITS}/{paths.FIREWALL}")
        or "nftables" not in observed.packages
    ):
        return []
    listed = remote.ask(StringCommand("nft", "list", "tables"))
    if not listed.ok:
        message = listed.stderr.strip() or "no answer"
        return [Finding("a packet filter that lists its tables (nft list tables)", message, "mend it")]
    if "table inet venom" not in listed.stdout.splitlines():
        return []
    remedy = "give it another name, or set `door.firewall: false`"
    return [Finding("no table inet venom of somebody else's in the packet filter", "there is one", remedy)]


def findings(door: Door, lines: Sequence[str], leaving: Sequence[str]) -> list[Finding]:
    """The same of what the host printed. `leaving`: files that will be out of the way."""
    facts: dict[str, list[str]] = {}
    for line in lines:
        name, _, value = line.partition("=")
        facts.setdefault(name, []).append(value)
    found = []
    if broken := facts.get("broken"):
        remedy = "correct it until this prints nothing: nginx -t -q"
        found.append(
            Finding("an nginx configuration that is valid without our site", "; ".join(broken), remedy)
        )
    if users := [it for it in facts.get("user", []) if it != WORKER]:
        remedy = "install the distribution's package instead"
        found.append(Finding(f"the distribution's nginx, whose workers run as {WORKER}", users[0], remedy))
    wanted = {"door.port": door.port, **({"door.ollama.port": door.ollama.port} if door.ollama else {})}
    for file, _, place in (it.partition(" ") for it in facts.get("listen", [])):
        for setting, port in wanted.items():
            if file not in (paths.SITE, *leaving) and _port(place) == port:
                found.append(
                    Finding(
                        f"port {port} for the door alone",
                        f"another site of nginx listens there: {file} (listen {place})",
                        f"give the door another port in the inventory ({setting}), or remove that site",
                    )
                )
    return list(dict.fromkeys(found))


def _port(place: str) -> int:
    """The port of a `listen` directive: 80 where it names none."""
    last = place.rpartition("]")[2].rpartition(":")[2] if ":" in place or place.isdigit() else ""
    return int(last) if last.isdigit() else 80
