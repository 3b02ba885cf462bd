"""SSH in the lab: one key that opens every host, and one known_hosts with a stable key a name.

A host that is created anew keeps the host key of its name: strict checking never trips over it.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab.state import STATE, CommandFailed, locked, machine, write_whole

FOLDER = STATE / "ssh"
KEY = FOLDER / "id_ed25519"
KNOWN_HOSTS = FOLDER / "known_hosts"


def ensure_key() -> None:
    """Make the lab's own key be there, and a known_hosts, which inventories point to."""
    _generate(KEY, "venom-lab")
    with locked("ssh"):
        KNOWN_HOSTS.touch()


def command(address: str, user: str = "root", shared: Path | None = None) -> list[str]:
    """The ssh command line for a host, to which what is to run there is added.

    With `shared` it goes over the connection that `share` opened there, if that is still open.
    """
    options = {
        "IdentityFile": str(KEY),
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": str(KNOWN_HOSTS),
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        # The default, safe against quantum computers, takes a tenth of a second of both sides' processors.
        "KexAlgorithms": "curve25519-sha256",
        "ConnectTimeout": "3",
        # A host that vanishes ends the command, which would wait for ever.
        "ServerAliveInterval": "15",
        "LogLevel": "ERROR",
    }
    # No configuration of the person at the keyboard: the lab must behave the same for everybody.
    line = ["ssh", "-F", "none"]
    for key, value in options.items():
        line += ["-o", f"{key}={value}"]
    if shared:
        line += ["-S", str(shared)]
    return [*line, f"{user}@{address}"]


def share(address: str, socket: Path) -> None:
    """Open a connection that root's commands share: each saves the log-in, a tenth of a second.

    It ends with the host. Where it cannot be opened, each command opens its own, as without it.
    """
    line = [*command(address, shared=socket), "-M", "-N", "-f"]
    nothing = subprocess.DEVNULL
    subprocess.run(line, stdin=nothing, stdout=nothing, stderr=nothing, check=False)


def unshare(socket: Path) -> None:
    """Close it: a host whose power is cut would leave its commands waiting."""
    if socket.exists():
        with contextlib.suppress(CommandFailed):
            machine(["ssh", "-F", "none", "-S", socket, "-O", "exit", "lab"])
        socket.unlink(missing_ok=True)


def tunnel(address: str, ports: Mapping[int, int]) -> list[str]:
    """The ssh command line, short enough to read, for ports here that lead to ports of a host's loopback."""
    line = ["ssh", "-N", "-i", str(KEY), "-o", f"UserKnownHostsFile={KNOWN_HOSTS}"]
    for here, there in ports.items():
        line += ["-L", f"{here}:127.0.0.1:{there}"]
    return [*line, f"root@{address}"]


def install(name: str, address: str, tree: Path) -> None:
    """Put the name's host key and our own key into a host's tree; note the host as known."""
    ensure_key()
    host_key = FOLDER / "hosts" / name / "ssh_host_ed25519_key"
    _generate(host_key, name)
    _copy(host_key, tree / "etc/ssh/ssh_host_ed25519_key", 0o600)
    _copy(_public(host_key), tree / "etc/ssh/ssh_host_ed25519_key.pub", 0o644)
    (tree / "root/.ssh").mkdir(parents=True, exist_ok=True)
    # A folder in the upper layer decides the mode of the merged one.
    (tree / "root").chmod(0o700)
    (tree / "root/.ssh").chmod(0o700)
    _copy(_public(KEY), tree / "root/.ssh/authorized_keys", 0o600)
    _know(address, _public(host_key).read_text())


def forget(name: str) -> None:
    """Drop the host key of a name that will not come again."""
    shutil.rmtree(FOLDER / "hosts" / name, ignore_errors=True)


def _generate(key: Path, comment: str) -> None:
    with locked("ssh"):
        if not key.exists():
            key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            machine(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", key])


def _public(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


def _copy(source: Path, target: Path, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    target.chmod(mode)


def _know(address: str, public_key: str) -> None:
    kind, key = public_key.split()[:2]
    with locked("ssh"):
        known = KNOWN_HOSTS.read_text().splitlines() if KNOWN_HOSTS.exists() else []
        others = [line for line in known if line.split()[0] != address]
        write_whole(KNOWN_HOSTS, "\n".join([*others, f"{address} {kind} {key}"]) + "\n")
