"""The base trees: one Debian a suite, as a minimal server has it, with an sshd and little else.

A tree is built once, aside, then renamed into place; hosts lie over it as overlays. Its name holds
the digest of its recipe: a changed recipe makes a new tree, and a host keeps the one it came from.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import subprocess
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lab.state import STATE, CommandFailed, LabError, locked, machine, tail

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

# Trees with packages differ by what is asked for: those that nobody asked for in a week go.
_KEPT_SECONDS = 7 * 86400

# Debian 12's crun raises a limit that nobody may raise where the machine has no CAP_SYS_RESOURCE.
_RUNTIMES = {12: "runc", 13: "crun"}


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


def ensure(
    debian: int,
    *,
    podman: bool = False,
    packages: Collection[str] = (),
    in_use: Collection[Path] = (),
) -> Path:
    """The base tree of a Debian release, built if there is none of this recipe yet.

    With `podman` that one and podman in it; with `packages` that one and these Debian packages. Trees of
    former recipes go, except those `in_use` that a host still lies over.
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
        _forget(f"{suite}-*", {tree, *in_use})
        if podman:
            tree = _with(tree, "podman", ["podman", _RUNTIMES[debian]], in_use)
        return _with(tree, "packages", sorted(packages), in_use) if packages else tree


def container_settings(debian: int) -> str:
    """A containers.conf with what podman needs in a lab host; none of it is the product's business.

    The limits and the count of processes that podman sets by itself need CAP_SYS_RESOURCE and a
    pids controller, which the machine need not have.
    """
    return (
        "[containers]\n"
        'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
        "pids_limit = 0\n"
        "[engine]\n"
        f'runtime = "{_RUNTIMES[debian]}"\n'
    )


@cache
def machine_mirror() -> Mirror:
    """Read from this machine's apt configuration, whatever form its sources are written in.

    Once a process: apt takes most of a second to list what it knows, and each host that is made asks.
    """
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


def _with(tree: Path, what: str, packages: Sequence[str], in_use: Collection[Path]) -> Path:
    """A copy of the tree in which packages are installed, as by an administrator some time before."""
    digest = hashlib.sha256(json.dumps([tree.name, *packages]).encode()).hexdigest()
    # As in the tree's own name, the digest is last, and the suite before it.
    kind = f"{what}-{tree.name.rpartition('-')[0]}"
    whole = tree.with_name(f"{kind}-{digest[:12]}")
    if not whole.is_dir():
        aside = whole.with_name(f"{whole.name}.part")
        _remove(aside)
        print(f"lab: building the base tree {tree.name} with {what} (once) …", flush=True)
        machine(["cp", "-a", "--reflink=auto", tree, aside])
        inside = ["systemd-nspawn", "--quiet", f"--directory={aside}", "--register=no", "--keep-unit"]
        inside += ["--settings=no", "--link-journal=no", "--timezone=off", "--resolv-conf=copy-host"]
        install = "apt-get install --yes --no-install-recommends"
        line = f"{install} {shlex.join(packages)} && apt-get clean"
        try:
            machine([*inside, "--setenv=DEBIAN_FRONTEND=noninteractive", "sh", "-c", line])
        except CommandFailed:
            _remove(aside)
            raise
        for own in ("machine-id", "resolv.conf"):  # a host gets these of its own
            (aside / "etc" / own).unlink(missing_ok=True)
        aside.rename(whole)
    _used(whole).touch()
    recently = time.time() - _KEPT_SECONDS
    trees = f"{kind}-{'?' * 12}"
    lately = {it for it in whole.parent.glob(trees) if _last_use(it) > recently}
    _forget(trees, {*lately, *in_use})
    return whole


def _used(tree: Path) -> Path:
    """Tells by its time when the tree was asked for last."""
    return tree.with_name(f"{tree.name}.used")


def _last_use(tree: Path) -> float:
    return _used(tree).stat().st_mtime if _used(tree).exists() else 0.0


def _forget(pattern: str, needed: Collection[Path]) -> None:
    """Delete the trees of this pattern that are of former recipes."""
    for former in (STATE / "base").glob(pattern):
        if former not in needed:
            _remove(former)
            _used(former).unlink(missing_ok=True)


def _remove(tree: Path) -> None:
    """Delete a tree, but nothing that is mounted in it."""
    if tree.exists():
        machine(["rm", "-rf", "--one-file-system", tree])
