"""Runs the main job as an operator does, from the command line, and reads what it printed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine import controller
from lab import fleet
from lab.hosts import Host
from lab.state import REPOSITORY

_OPERATION = re.compile(r"--> Starting operation: (?P<name>.*?) *$")
_OUTCOME = re.compile(r" +\[(?P<host>[^\]]+)\] +(?P<outcome>Success|No changes|Skipped|Error)\b")

_ENDING = re.compile(r"    \[(?P<host>[^\]]+)\] (?P<text>.*)")


@dataclass(frozen=True)
class Result:
    """One run of pyinfra: what it printed and what it did."""

    status: int
    output: str  # standard output and standard error, as they came
    seconds: float

    @property
    def changed_operations(self) -> list[tuple[str, str]]:
        """(host, operation) of all that changed something, in the order of the run."""
        return self._with("Success")

    @property
    def failed_operations(self) -> list[tuple[str, str]]:
        """(host, operation) of all that failed, in the order of the run."""
        return self._with("Error")

    @property
    def endings(self) -> dict[str, str]:
        """What the summary at the end says of each host, by its name; what ended alike is one block."""
        found: dict[str, str] = {}
        names: list[str] = []
        _, _, summary = self.output.rpartition("--> In the end:\n")
        for line in summary.partition("\n-->")[0].replace(",\n     ", ", ").splitlines():
            if match := _ENDING.fullmatch(line):
                names = match["host"].split(", ")
                found |= dict.fromkeys(names, match["text"])
            elif line.startswith(" " * 8):
                found |= {name: f"{found[name]}\n{line[8:]}" for name in names}
        return found

    @property
    def planned(self) -> dict[str, str]:
        """Operation → hosts, of what --dry would change."""
        _, _, table = self.output.partition("--> Detected changes:")
        rows = re.findall(r"^ {4}(\S.*?) {2,}(\S.*?) {2,}\S.*$", table, re.M)
        return {name: hosts for name, hosts in rows if hosts not in {"-", "Change"}}

    def check(self) -> Result:
        """This result, if the run succeeded; else an `AssertionError` with the end of its output."""
        end = "\n".join(self.output.splitlines()[-40:])
        assert self.status == 0, f"pyinfra ended with status {self.status}:\n{end}"
        return self

    def _with(self, outcome: str) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        operation = ""
        for line in self.output.splitlines():
            if match := _OPERATION.match(line):
                operation = match["name"]
            elif (match := _OUTCOME.match(line)) and match["outcome"] == outcome:
                found.append((match["host"], operation))
        return found


def fleet_of(*hosts: Host, **defaults: Any) -> dict[str, Any]:
    """The default inventory with these hosts instead of its own; `defaults` go over its defaults."""
    declared = fleet.default()
    return declared | {
        "defaults": declared["defaults"] | defaults,
        "hosts": {host.name: {"address": host.address} for host in hosts},
    }


def command(inventory: Path, *arguments: str, deploy: str = "deploy/venom.py") -> list[str]:
    """The command line of a run, for those who start and end it themselves."""
    pyinfra = Path(sys.executable).with_name("pyinfra")
    # With -y pyinfra skips the change detection, which is all that --dry does.
    yes = [] if "--dry" in arguments else ["-y"]
    return [str(pyinfra), *yes, *arguments, str(inventory), deploy]


def run(
    inventory: Path,
    *arguments: str,
    deploy: str = "deploy/venom.py",
    env: Mapping[str, str] | None = None,
    timeout: float = 1800,
    house: Path = REPOSITORY,
    within: Sequence[str] = (),
) -> Result:
    """Run a deploy against an inventory's `.py` from the repository's root, or that of a changed copy.

    `within`: what the command line begins with, where it runs in a network of its own.
    """
    start = time.monotonic()
    process = subprocess.run(
        [*within, *command(inventory, *arguments, deploy=deploy)],
        cwd=house,
        env=None if env is None else dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=timeout,
    )
    return Result(process.returncode, process.stdout, time.monotonic() - start)


@contextmanager
def running(inventory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A run that goes on meanwhile, and is killed in the end if it still does.

    What it says goes into the file `log` beside the inventory.
    """
    with inventory.with_name("log").open("w") as output:
        process = subprocess.Popen(
            command(inventory),
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def no_ui_stored() -> Iterator[None]:
    """Meanwhile the controller has no UI that was built in a run before: a host builds its own."""
    with tempfile.TemporaryDirectory() as cache, pytest.MonkeyPatch.context() as patch:
        others = [controller.cache_directory(it) for it in ("locks", "sources", "uv")]
        patch.setenv("XDG_CACHE_HOME", cache)
        own = controller.cache_directory("uis").parent
        for other in others:
            (own / other.name).symlink_to(other)
        yield


def until(condition: Callable[[], bool], seconds: float = 300) -> None:
    """Return once the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.2)


def inventory(folder: Path, data: Mapping[str, Any] | Path) -> Path:
    """The `.py` of an inventory: of a dictionary, written into the folder, or of a YAML file."""
    if isinstance(data, Path):
        return data.with_suffix(".py")
    return fleet.write(data, folder / "fleet.py")


def own_venom(target: Path) -> Path:
    """A copy of the lab's small Venom, to be changed: at first it differs from the lab's in nothing."""
    ignored = shutil.ignore_patterns("node_modules", "__pycache__", ".next")
    return Path(shutil.copytree(REPOSITORY / "lab" / "venom", target, ignore=ignored))
