"""A cgroup of its own for each host, as a real one has.

Hosts that share one find each other's processes in the cgroup of each unit, and can end none of them:
what a service started beside its main process would survive the service.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

# Where the kernel's one hierarchy is mounted: beside the older ones, or alone. systemd-nspawn makes
# the same place in systemd's own hierarchy, where there is one.
_ROOT = Path("/sys/fs/cgroup/unified")
if not _ROOT.is_dir():
    _ROOT = Path("/sys/fs/cgroup")
_ROOTS = (_ROOT, Path("/sys/fs/cgroup/systemd"))


def inside(name: str, argv: Sequence[str]) -> list[str]:
    """The command line, started in the cgroup of the host of this name, under the same process id."""
    join = 'mkdir -p "$0" && echo $$ >"$0/cgroup.procs" && exec "$@"'
    return ["sh", "-c", join, str(_of(_ROOT, name)), *argv]


def remove(name: str) -> None:
    """Remove the cgroups of a host that is down. What a last process still holds stays; it is empty."""
    for root in _ROOTS:
        folder = _of(root, name)
        for path in [*sorted(folder.rglob("*/"), reverse=True), folder]:
            with contextlib.suppress(OSError):
                path.rmdir()


def _of(root: Path, name: str) -> Path:
    return root / "venom-lab" / name
