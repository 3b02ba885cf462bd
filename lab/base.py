"""The base trees: one Debian a suite, as a minimal server has it, with an sshd and little else.

A tree is built once, aside, then renamed into place; hosts lie over it as overlays. Its name holds
the digest of its recipe: a changed recipe makes a new tree, and a host keeps the one it came from.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from lab.state import STATE, LabError, locked, machine, tail

SUITES = {12: "bookworm", 13: "trixie"}

# What a minimal server has. No python3, sudo, curl or ca-certificates on purpose: the product
# promises to cope with hosts that have nothing but an sshd.
PACKAGES = ("systemd", "systemd-sysv", "dbus", "openssh-server", "iproute2", "login", "passwd")

# Settings of this machine's apt that a host needs too, for its packages come from the same place.
_APT_SETTINGS = (
    "Acquire::http::Proxy",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
)

# Run by mmdebstrap in the finished tree ($1). The host keys of the build must be on no host; the
# lists of packages stay, so that hosts need not fetch them, and apt's cache of them is made once.
_FINISH = (
    'chroot "$1" apt-get clean',
    'rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/hostname "$1"/etc/machine-id',
    'chroot "$1" systemctl enable systemd-networkd.service ssh.service',
    'chroot "$1" apt-cache gencaches',
)


@dataclass(frozen=True)
class Mirror:
    """Where this machine gets Debian from: the main archive, and the security one if known."""

    main: str
    security: str | None

    def sources(self, suite: str) -> list[str]:
        """The lines of a sources.list for a suite, which need not be the machine's own."""
        lines = [f"deb {self.main} {suite} main", f"deb {self.main} {suite}-updates main"]
        if self.security:
            lines.append(f"deb {self.security} {suite}-security main")
        return lines


def ensure(debian: int, in_use: Collection[Path] = ()) -> Path:
    """The base tree of a Debian release, built if there is none of this recipe yet.

    Trees of former recipes go, except those `in_use` that a host still lies over.
    """
    suite = SUITES.get(debian)
    if suite is None:
        raise LabError(f"Debian {debian}: the lab has {' and '.join(map(str, SUITES))}")
    recipe = _recipe(suite)
    digest = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()
    tree = STATE / "base" / f"{suite}-{digest[:12]}"
    with locked(f"base-{suite}"):
        if not tree.is_dir():
            _build(tree, suite, recipe)
        for former in tree.parent.glob(f"{suite}-*"):
            if former not in {tree, *in_use}:
                _remove(former)
    return tree


def machine_mirror() -> Mirror:
    """Read from this machine's apt configuration, whatever form its sources are written in."""
    codename = _os_release().get("VERSION_CODENAME", "")
    own = {codename, "stable", "oldstable", "testing"}
    main, security = None, None
    fields = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    targets = machine(["apt-get", "indextargets", "--format", fields, "Created-By: Packages"])
    for line in targets.splitlines():
        uri, release, component = line.rsplit(" ", 2)
        if component != "main":
            continue
        if release in own:
            main = main or uri
        elif release.removesuffix("-security") in own and release.endswith("-security"):
            security = security or uri
    if main is None:
        raise LabError(
            f"apt on this machine knows no Debian archive (looked for {codename or 'stable'} main);"
            " the lab builds its hosts from there"
        )
    return Mirror(main, security)


def _os_release() -> dict[str, str]:
    try:
        text = Path("/etc/os-release").read_text()
    except FileNotFoundError:
        return {}
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key: value.strip('"') for key, _, value in pairs}


def _recipe(suite: str) -> dict[str, list[str]]:
    settings = [f'{key} "{value}"' for key in _APT_SETTINGS if (value := _apt_value(key))]
    return {
        "packages": list(PACKAGES),
        "sources": machine_mirror().sources(suite),
        "settings": settings,
        "finish": list(_FINISH),
    }


def _apt_value(key: str) -> str:
    shell = machine(["apt-config", "shell", "VALUE", key]).strip()
    return shell.removeprefix("VALUE=").strip("'")


def _build(tree: Path, suite: str, recipe: dict[str, list[str]]) -> None:
    aside = tree.with_name(f"{tree.name}.part")
    log = tree.with_name(f"{suite}.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    _remove(aside)
    print(f"lab: building the base tree of Debian {suite} (once, about a minute) …", flush=True)
    command = ["mmdebstrap", "--variant=minbase", "--skip=cleanup/apt"]
    command.append(f"--include={','.join(recipe['packages'])}")
    # Descriptions in other languages are megabytes that no host reads.
    command += ['--aptopt=Acquire::Languages "none"']
    command += [f"--aptopt={setting}" for setting in recipe["settings"]]
    command += [f"--customize-hook={line}" for line in recipe["finish"]]
    command += [suite, str(aside), *recipe["sources"]]
    with log.open("w") as output:
        result = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    if result.returncode != 0:
        _remove(aside)
        raise LabError(f"mmdebstrap could not build Debian {suite} (log: {log})\n{tail(log)}")
    aside.rename(tree)


def _remove(tree: Path) -> None:
    """Delete a tree, but nothing that is mounted in it."""
    if tree.exists():
        machine(["rm", "-rf", "--one-file-system", tree])
