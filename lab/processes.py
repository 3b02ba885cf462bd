"""Processes that outlive the command which started them, found again by a file with their id.

An id alone is no proof, since the kernel gives ids away again: the start time is kept with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.state import LabError, write_whole


@dataclass(frozen=True)
class Background:
    """One process in a session of its own, named by the file that remembers it."""

    file: Path
    log: Path

    def start(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        note: str = "",
    ) -> None:
        """Start it, its output going to the log. `note` is kept and can be read back."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("w") as log:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=cwd,
                env=None if env is None else dict(env),
            )
        known = {"pid": process.pid, "started": _start_time(process.pid), "note": note}
        write_whole(self.file, json.dumps(known))

    @property
    def pid(self) -> int | None:
        """Its id while it runs, else None."""
        known = self._known()
        pid = known.get("pid")
        if not isinstance(pid, int) or not _runs(pid):
            return None
        return pid if _start_time(pid) == known.get("started") else None

    @property
    def note(self) -> str:
        """The note that it was started with."""
        return str(self._known().get("note", ""))

    def stop(self, *, patience: float = 30.0) -> None:
        """End it: SIGTERM, then after `patience` seconds SIGKILL."""
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            if not _gone_within(pid, patience):
                kill(pid)
        self.file.unlink(missing_ok=True)

    def _known(self) -> dict[str, object]:
        try:
            known = json.loads(self.file.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}


def kill(pid: int) -> None:
    """Kill a process and wait until it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    if not _gone_within(pid, 60):
        raise LabError(f"process {pid} survives SIGKILL")


def first_of_namespaces() -> Iterator[int]:
    """Every process that is PID 1 of a namespace other than ours: the PID 1 of every container."""
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            line = next(line for line in status.read_text().splitlines() if "NSpid:" in line)
            if len(line.split()) > 2 and line.split()[-1] == "1":
                yield int(status.parent.name)


def root_mount(pid: int) -> str:
    """What the process has mounted as its root: the line of its mountinfo; empty if it is gone."""
    # A process that is just ending has no mounts any more: reading them is then an invalid argument.
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
            if line.split()[4] == "/":
                return line
    return ""


def _gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _runs(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on (the second may hold spaces)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _runs(pid: int) -> bool:
    """Whether the process exists and is no zombie. Our own dead child is reaped here."""
    with contextlib.suppress(ChildProcessError):  # not our child: another run of the lab started it
        os.waitpid(pid, os.WNOHANG)
    fields = _stat(pid)
    return bool(fields) and fields[0] not in {"Z", "X"}


def _start_time(pid: int) -> str:
    """When the process started, in clock ticks since the machine did; empty if it is gone."""
    fields = _stat(pid)
    return fields[19] if fields else ""
