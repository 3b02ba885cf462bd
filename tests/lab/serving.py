"""The fleet that lab tests share: made to serve by one run, beside two hosts that must not stop it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import fleet, network
from lab.hosts import Host
from tests.lab import comparison, provisioning, visitor
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


@dataclass(frozen=True)
class Serving:
    """The shared hosts, the inventory that holds for them, and the run that made them serve."""

    light: Host  # Debian 12, root
    off: Host  # Debian 13, profile llm_off, by a user who may sudo
    taken: Host  # bare; somebody else has the backend's port
    taken_before: str  # its files before the run
    first: Result
    described: dict[str, str]  # `light` after the first run, as `comparison.describe` does

    def inventory(self, light: dict[str, Any] | None = None) -> dict[str, Any]:
        """The inventory of the two hosts that serve; settings given for `light` are its own."""
        return of({"light": (self.light, light or {}), "off": (self.off, llm_off())})

    def of_light(self, **settings: Any) -> dict[str, Any]:
        """The inventory of `light` alone."""
        return of({"light": (self.light, settings)})


def of(hosts: dict[str, tuple[Host, dict[str, Any]]], **top: Any) -> dict[str, Any]:
    """The repository's inventory with these hosts and their own settings instead of its own."""
    own = {name: {"address": host.address, **settings} for name, (host, settings) in hosts.items()}
    return {**fleet.default(), **top, "hosts": own}


def ssh(**settings: Any) -> dict[str, Any]:
    """The lab's SSH settings with some of them changed."""
    return {**fleet.default()["defaults"]["ssh"], **settings}


def make_serving(create: Callable[..., Host], folder: Path) -> Serving:
    """Boot three hosts and run the main job once against them and an address that nobody has."""
    light, off, taken = create(12), create(13, sudo_user=_OPERATOR), create(12)
    # An sshd without sftp, and ::1 before 127.0.0.1: neither may matter.
    off.run("sed -i '/^Subsystem/d' /etc/ssh/sshd_config && systemctl reload ssh")
    off.run("sed -i '1i ::1 localhost' /etc/hosts")
    taken.put(_LISTENER, "/root/listener.pl")
    taken.run("systemd-run --quiet --unit=somebody-else perl /root/listener.pl")
    taken_before = visitor.files(taken, *BARE)
    declared = of({"light": (light, {}), "off": (off, llm_off()), "taken": (taken, {})})
    declared["hosts"]["nobody"] = {"address": str(network.SUBNET[251])}  # the lab gives none beyond 249
    first = provisioning.run(provisioning.inventory(folder, declared))
    described = comparison.describe(light, left_out=NAMED)
    return Serving(light, off, taken, taken_before, first, described)


def llm_off() -> dict[str, Any]:
    """What the inventory says of `off`."""
    return {"profile": "llm_off", "ssh": ssh(user=_OPERATOR, sudo=True)}
