"""The lab's network: a bridge with a small subnet, and masquerading to the world."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

from lab.state import CommandFailed, locked, machine

BRIDGE = "br-lab"
SUBNET = ipaddress.ip_network("10.77.0.0/24")
GATEWAY = "10.77.0.1"
TABLE = "venom_lab"

_BRIDGE_MAC = "02:0a:4d:00:00:01"

# Hosts in the set `airgapped` reach the bridge and nothing else. They are rejected, not merely left
# without masquerading: their packets would still leave this machine, with an address that nobody
# can answer.
_RULES = f"""\
table ip {TABLE} {{
    set airgapped {{ type ipv4_addr; }}
    chain forward {{
        type filter hook forward priority filter;
        ip saddr @airgapped ip daddr != {SUBNET} reject with icmp type net-unreachable
    }}
    chain postrouting {{
        type nat hook postrouting priority srcnat;
        ip saddr {SUBNET} ip daddr != {SUBNET} masquerade
    }}
}}
"""


def ensure() -> None:
    """Make bridge, route, forwarding and masquerading be there; what is there stays as it is."""
    with locked("network"):
        if not Path(f"/sys/class/net/{BRIDGE}").exists():
            machine(["ip", "link", "add", BRIDGE, "type", "bridge"])
        # Else a bridge has the address of one of its hosts, and another one when that host goes,
        # which the other hosts learn late.
        machine(["ip", "link", "set", BRIDGE, "address", _BRIDGE_MAC])
        machine(["ip", "address", "replace", f"{GATEWAY}/{SUBNET.prefixlen}", "dev", BRIDGE])
        machine(["ip", "link", "set", BRIDGE, "up"])
        # While a host is down, a packet to it must not leave this machine by the default route.
        machine(["ip", "route", "replace", "unreachable", str(SUBNET), "metric", "4000"])
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")
        # Each host's systemd takes several, and root is one user on all of them: 128 are 20 hosts.
        instances = Path("/proc/sys/fs/inotify/max_user_instances")
        if int(instances.read_text()) < 1024:
            instances.write_text("1024\n")
        if not exists():
            machine(["nft", "-f", "-"], input=_RULES)


def remove() -> None:
    """Take away what `ensure` made. Forwarding stays on: others may count on it by now."""
    with locked("network"):
        if exists():
            machine(["nft", "delete", "table", "ip", TABLE])
        if Path(f"/sys/class/net/{BRIDGE}").exists():
            machine(["ip", "route", "del", "unreachable", str(SUBNET), "metric", "4000"])
            machine(["ip", "link", "del", BRIDGE])


def set_airgapped(address: str, airgapped: bool) -> None:
    """Cut the host with this address off from everything beyond the bridge, or let it out."""
    with locked("network"):
        addresses = _airgapped()
        if (address in addresses) != airgapped:
            verb = "add" if airgapped else "delete"
            machine(["nft", verb, "element", "ip", TABLE, "airgapped", f"{{ {address} }}"])


def exists() -> bool:
    """Whether the lab's rules are loaded."""
    try:
        machine(["nft", "list", "table", "ip", TABLE])
    except CommandFailed:
        return False
    return True


def _airgapped() -> set[str]:
    listed = json.loads(machine(["nft", "-j", "list", "set", "ip", TABLE, "airgapped"]))
    found: set[str] = set()
    for item in listed["nftables"]:
        found.update(item.get("set", {}).get("elem", []))
    return found
