"""Hosts that serve: made by one run a session, beside two hosts that must not stop it; then copied."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from lab import fleet, network
from lab.hosts import Host
from tests.lab import comparison, provisioning, sessions, visitor
from tests.lab.provisioning import Result

# Where the product writes; `bare` adds the places where it must not while a host is refused.
MANAGED = (
    *("/opt/venom", "/opt/ollama", "/etc/venom", "/etc/systemd/system"),
    *("/var/lib/venom", "/var/lib/ollama", "/usr/local"),
)
BARE = ("/opt", "/etc", "/usr", "/var/lib", "/var/cache", "/home", "/srv")

# What is left out of a comparison with `light`, whose name in the inventory is not the lab's.
NAMED = dict.fromkeys(
    ("/etc/venom/generations/g", r"/etc/nginx/conf\.d/venom\.conf$"),
    "holds the name that the inventory gives the host",
)

_OPERATOR = "operator"
# Listens like any other program; a bare host has Perl and no Python.
_LISTENER = """
use IO::Socket::INET;
my $socket = IO::Socket::INET->new(LocalAddr => "0.0.0.0:8000", Listen => 5) or die $!;
while (my $client = $socket->accept) { close $client }
"""


class Clones(Protocol):
    """Makes hosts of a test's own."""

    def clone(self, source: Host) -> Host:
        """One that has all that is on a host that is down."""


@dataclass(frozen=True)
class Originals:
    """What the first run of the session made: hosts that are down, from which every file gets its own."""

    light: str
    off: str
    taken: str  # up
    taken_before: str
    first: Result
    described: dict[str, str]
    described_off: dict[str, str]


@dataclass(frozen=True)
class Serving:
    """Hosts that serve, of one file's own, the inventory that holds for them, and the run that made them."""

    originals: Originals
    make: Clones
    folder: Path

    @cached_property
    def light(self) -> Host:
        """Debian 12, root."""
        return self._own("light")

    @cached_property
    def off(self) -> Host:
        """Debian 13, profile llm_off, by a user who may sudo."""
        return self._own("off")

    @property
    def taken(self) -> Host:
        """Bare; somebody else has the backend's port. All files share it: it is only ever refused."""
        return Host.get(self.originals.taken)

    @property
    def taken_before(self) -> str:
        """Its files before the first run."""
        return self.originals.taken_before

    @property
    def first(self) -> Result:
        """The run that made all hosts serve."""
        return self.originals.first

    @property
    def described(self) -> dict[str, str]:
        """`light` after the first run, as `comparison.describe` does."""
        return self.originals.described

    @property
    def described_off(self) -> dict[str, str]:
        """The same of `off`."""
        return self.originals.described_off

    def inventory(self, light: dict[str, Any] | None = None) -> dict[str, Any]:
        """The inventory of the two hosts that serve; settings given for `light` are its own."""
        return of({"light": (self.light, light or {}), "off": (self.off, llm_off())})

    def of_light(self, **settings: Any) -> dict[str, Any]:
        """The inventory of `light` alone."""
        return of({"light": (self.light, settings)})

    def copies(self, *wanted: str) -> list[Host]:
        """Copies of `light` and `off`, which serve under the names of these still."""
        originals = [Host.get(getattr(self.originals, name)) for name in wanted]
        with ThreadPoolExecutor(4) as pool:
            made = list(pool.map(self.make.clone, originals))
            list(pool.map(_await_venom, made, wanted))
        return made

    def _own(self, name: str) -> Host:
        """A copy with its own address in the door, as a run makes it; nothing else differs."""
        [host] = self.copies(name)
        declared = of({name: (host, {"light": {}, "off": llm_off()}[name])})
        run = provisioning.run(provisioning.inventory(self.folder, declared)).check()
        assert run.changed_operations == [(name, step) for step in ("Lock", "Switch", "Unlock")], run.output
        return host


def of(hosts: dict[str, tuple[Host, dict[str, Any]]], **top: Any) -> dict[str, Any]:
    """The repository's inventory with these hosts and their own settings instead of its own."""
    own = {name: {"address": host.address, **settings} for name, (host, settings) in hosts.items()}
    return {**fleet.default(), **top, "hosts": own}


def ssh(**settings: Any) -> dict[str, Any]:
    """The lab's SSH settings with some of them changed."""
    return {**fleet.default()["defaults"]["ssh"], **settings}


def originals(folder: Path) -> Originals:
    """Boot three hosts and run the main job once against them and an address that nobody has.

    The first of the session's processes does it, the others get what it made.
    """
    stored = sessions.once(folder, "serving", lambda: asdict(_make_originals(folder)))
    return Originals(**(stored | {"first": Result(**stored["first"])}))


def shared_name(session: int, name: str) -> str:
    """What a host that a whole session shares is called."""
    return f"test-{session}-0-{name}"


def _make_originals(folder: Path) -> Originals:
    def create(name: str, debian: int, sudo_user: str | None = None) -> Host:
        return Host.create(shared_name(sessions.pid(), name), debian, sudo_user=sudo_user)

    light, off, taken = create("light", 12), create("off", 13, _OPERATOR), create("taken", 12)
    # An sshd without sftp, and ::1 before 127.0.0.1: neither may matter.
    off.run("sed -i '/^Subsystem/d' /etc/ssh/sshd_config && systemctl reload ssh")
    off.run("sed -i '1i ::1 localhost' /etc/hosts")
    taken.put(_LISTENER, "/root/listener.pl")
    taken.run("systemd-run --quiet --unit=somebody-else perl /root/listener.pl")
    taken_before = visitor.files(taken, *BARE)
    declared = of({"light": (light, {}), "off": (off, llm_off()), "taken": (taken, {})})
    declared["hosts"]["nobody"] = {"address": str(network.SUBNET[251])}  # the lab gives none beyond 249
    first = provisioning.run(provisioning.inventory(folder, declared))
    described = [comparison.describe(host, left_out=NAMED) for host in (light, off)]
    for host in (light, off):
        host.stop()
    return Originals(light.name, off.name, taken.name, taken_before, first, *described)


def _await_venom(host: Host, name: str) -> None:
    ollama = [f"{visitor.OLLAMA}/api/version"] if name == "light" else []
    visitor.await_answer(host, f"{visitor.BACKEND}/healthz", f"{visitor.UI}/", *ollama)


def llm_off() -> dict[str, Any]:
    """What the inventory says of `off`."""
    return {"profile": "llm_off", "ssh": ssh(user=_OPERATOR, sudo=True)}
