"""How a host is booted: the command line of systemd-nspawn."""

from __future__ import annotations

from pathlib import Path

from lab import network
from lab.overlay import STORES

# The host gets a cgroup v2 tree, as a real one has, even where this machine has v1.
ENVIRONMENT = {"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}


def command(folder: Path, name: str) -> list[str]:
    """What boots the host of this folder. Its tree must be mounted."""
    return [
        "systemd-nspawn",
        f"--directory={folder / 'root'}",
        "--boot",
        f"--machine={name}",
        # This machine may have no systemd of its own to register the host with.
        "--register=no",
        "--keep-unit",
        "--settings=no",
        "--link-journal=no",
        "--timezone=off",
        f"--network-bridge={network.BRIDGE}",
        "--resolv-conf=off",
        "--console=read-only",
        # Both for containers inside the host only.
        "--system-call-filter=bpf keyctl add_key",
        "--capability=CAP_BPF,CAP_PERFMON",
        *(f"--bind={folder / store}:{path}" for store, path in STORES.items()),
    ]
