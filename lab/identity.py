"""What makes a host itself: its name, address, host key and machine id."""

from __future__ import annotations

import uuid
from pathlib import Path

from lab import base, network, ssh
from lab.overlay import STORES


def write(folder: Path, name: str, address: str, debian: int, *, airgapped: bool) -> None:
    """Write it into the layer over the base tree of the host of this folder."""
    upper = folder / "upper"
    gateway = "" if airgapped else f"Gateway={network.GATEWAY}\n"
    files = {
        "hostname": f"{name}\n",
        "hosts": f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {name}\n",
        "machine-id": f"{uuid.uuid4().hex}\n",
        "resolv.conf": Path("/etc/resolv.conf").read_text(),
        "systemd/network/10-host0.network": (
            "[Match]\nName=host0\n\n"
            f"[Network]\nAddress={address}/{network.SUBNET.prefixlen}\n{gateway}LinkLocalAddressing=no\n"
        ),
        "containers/containers.conf.d/lab.conf": base.container_settings(debian),
    }
    for path, text in files.items():
        file = upper / "etc" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    ssh.install(name, address, upper)
    for store in STORES:
        (folder / store).mkdir(exist_ok=True)
