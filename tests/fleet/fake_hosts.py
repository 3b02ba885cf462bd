"""Runs of pyinfra over hosts that only say yes: what is tried is in which order it asks them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from lab.state import REPOSITORY

_OPERATION = re.compile(r"--> Starting operation: (.*?) *$")
_DONE = re.compile(r" +\[@fake/(\w+)\] +Success")


def run(folder: Path, inventory: str, deploy: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a deploy over an inventory, both given as text, whose hosts are named @fake/NAME."""
    (folder / "inventory.py").write_text(inventory)
    (folder / "deploy.py").write_text(deploy)
    pyinfra = Path(sys.executable).with_name("pyinfra")
    return subprocess.run(
        [pyinfra, "-y", "--config", "none.py", folder / "inventory.py", folder / "deploy.py"],
        cwd=REPOSITORY,
        env={**os.environ, **environment, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def steps(output: str) -> list[tuple[str, str]]:
    """(operation, host) of each that was carried out, in their order."""
    found, name = list[tuple[str, str]](), ""
    for line in output.partition("--> Results")[0].splitlines():
        if match := _OPERATION.match(line):
            name = match[1]
        elif match := _DONE.match(line):
            found.append((name, match[1]))
    return found
