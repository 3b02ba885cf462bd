"""The tree of a host: an overlay over its base and its layers, and beside it the stores of its containers."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from lab import layers
from lab.state import CommandFailed, LabError, machine

# An overlay cannot lie over another: what containers are made of lies on the machine's own disk.
STORES = {"containers": "/var/lib/containers", "docker": "/var/lib/docker"}


def mount(folder: Path, base: Path) -> None:
    """Put the tree of the host of this folder together, unless it is. `LabError` where its base is gone."""
    root = folder / "root"
    for name in ("root", "upper", "work", *STORES):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if os.path.ismount(root):
        return
    if not base.is_dir():
        raise LabError(f"{folder.name}: its base tree {base} is gone: create the host anew")
    # By this the kernel remembers a tree that may have lost writes. Ours lose none while the machine runs.
    shutil.rmtree(folder / "work" / "work" / "incompat", ignore_errors=True)
    below = ":".join(map(str, [*layers.of(folder), base]))
    # volatile: nothing waits for the disk. dpkg, which would after each file, takes half the time.
    options = f"lowerdir={below},upperdir={folder}/upper,workdir={folder}/work,volatile"
    machine(["mount", "-t", "overlay", "overlay", "-o", options, root])


def mark(folder: Path) -> str:
    """What stands among the options of that mount, and of no other host's."""
    return f"upperdir={folder}/upper,"


def unmount(folder: Path) -> None:
    """Take the tree apart; what was written stays."""
    root = folder / "root"
    deadline = time.monotonic() + 60
    # The kernel may hold the tree for a moment after the last process in it has ended.
    while os.path.ismount(root):
        try:
            machine(["umount", root])
        except CommandFailed:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
