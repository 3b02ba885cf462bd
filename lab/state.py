"""Where the lab keeps what it makes, and the few helpers that all of the lab shares.

Everything lies under one directory outside the repository, `/var/lib/venom-lab`, or where the
environment variable VENOM_LAB_STATE points.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
USUAL = Path("/var/lib/venom-lab")
STATE = Path(os.environ.get("VENOM_LAB_STATE") or USUAL).absolute()


class LabError(Exception):
    """Something that the person at the keyboard can act on: its text is the whole message."""


class CommandFailed(LabError):
    """A command ended with another exit status than 0. `result` holds what it printed."""

    def __init__(self, what: str, result: subprocess.CompletedProcess[str]) -> None:
        self.result = result
        output = "\n".join(part.strip() for part in (result.stdout, result.stderr) if part)
        super().__init__(f"{what}: exit status {result.returncode}\n{output}".rstrip())


def machine(argv: Sequence[str | Path], *, input: str | None = None) -> str:
    """Run a command on this machine and return its standard output; `CommandFailed` if it fails."""
    command = [str(argument) for argument in argv]
    result = subprocess.run(command, input=input, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise CommandFailed(shlex.join(command), result)
    return result.stdout


@contextmanager
def locked(name: str, folder: Path = STATE / "run") -> Iterator[None]:
    """Hold the lock of this name, of the whole lab or of a host: several runs share one lab.

    The kernel lets go of it when the process ends, however it ends.
    """
    path = folder / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_whole(path: Path, text: str) -> None:
    """Write the file aside and rename it, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(text)
    part.replace(path)


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a text file, or a note that there is none."""
    try:
        text = path.read_text(errors="replace")
    except FileNotFoundError:
        return f"(no {path})"
    return "\n".join(text.splitlines()[-lines:])
