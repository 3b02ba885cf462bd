"""What this machine must have to boot hosts, and what to do where it has not.

Each check is tried in namespaces of its own, so that looking changes nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from ipaddress import ip_network
from pathlib import Path

from lab.network import BRIDGE, SUBNET
from lab.state import machine

_COMMANDS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "nft": "nftables",
    "ssh": "openssh-client",
}

# What is tried, and what its failure means.
_TRIALS = (
    ("unshare --mount --uts --ipc --pid --net --fork true", "the kernel allows no namespaces here"),
    ("unshare --net ip link add try-lab type bridge", "no network bridge can be made here"),
    ("unshare --net nft add table ip try_lab", "nftables does not work here"),
    ("unshare --mount mount -t proc proc /proc", "mounting is not allowed here"),
)


def missing() -> list[str]:
    """Everything that keeps this machine from booting a host, a line each; empty if nothing."""
    if not Path("/usr/bin/apt-get").exists():
        return ["this is not Debian: there is no apt to build hosts with"]
    if os.geteuid() != 0:
        return ["root: only root may mount, make a bridge and start systemd-nspawn"]
    found = [
        f"{command}: apt-get install {package}"
        for command, package in _COMMANDS.items()
        if not shutil.which(command)
    ]
    if found:
        return found
    for trial, meaning in _TRIALS:
        result = subprocess.run(trial.split(), capture_output=True, text=True, check=False)
        if result.returncode != 0:
            found.append(f"{meaning}: `{trial}`: {result.stderr.strip() or result.returncode}")
    found += _taken_subnet()
    if "\toverlay\n" not in Path("/proc/filesystems").read_text() and not _modprobe("overlay"):
        found.append("the kernel has no overlay file system: modprobe overlay")
    return found


def _taken_subnet() -> list[str]:
    """The lab's bridge would cut this machine off from a network that has the same addresses."""
    routes = json.loads(machine(["ip", "-json", "-4", "route"]))
    return [
        f"the lab's subnet {SUBNET} is in use: {route['dst']} is behind {route['dev']}"
        for route in routes
        if route["dst"] != "default"
        and route.get("dev", BRIDGE) != BRIDGE
        and ip_network(route["dst"]).overlaps(SUBNET)
    ]


def message(found: list[str]) -> str:
    """The missing things, and the ways to run the main job without a lab."""
    lines = ["No lab host can be booted on this machine. What is missing:"]
    lines += [f"  - {line}" for line in found]
    return "\n".join(lines) + "\n\n" + Path(__file__).with_name("elsewhere.txt").read_text()


def _modprobe(module: str) -> bool:
    tool = shutil.which("modprobe")
    if tool is None:
        return False
    return subprocess.run([tool, "-q", module], check=False).returncode == 0
