"""How long this machine takes to plan a fleet, and how much memory: no host is asked.

Every size gets a process and a cache of its own, so that nothing is known of the sizes before. A lock of
the repository stands for the fleet's: to resolve one takes a package index.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import yaml

from engine.environment import Lock
from engine.observation import command
from engine.question import question_about
from engine.release import Release
from fleet.assessment import Planned, resolved
from fleet.builds import Build
from fleet.components import components
from lab.state import REPOSITORY, LabError
from roles.backend.lock import FOLDER
from roles.door.secrets import revealed
from roles.source.archive import pack
from roles.ui import deploy as ui
from schemas.data.contract import contract
from schemas.declared.declaration import declaration
from schemas.inventory import DeclaredHost, load
from schemas.plan.host import assumed_hardware

SIZES = (1, 100, 1000, 5000)
_PROFILES = ("light", "llm_off", "full")


@dataclass(frozen=True)
class Planning:
    """What a fleet of that many hosts took."""

    hosts: int
    validated: float  # seconds: the inventory read and checked
    planned: float  # seconds: its source packed, and everything that its hosts are to be and are asked
    peak: float  # MiB, the whole process


def planning(hosts: int) -> Planning:
    """Measure one size in a process of its own. Raises LabError where that fails."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "XDG_CACHE_HOME": folder}
        line = [sys.executable, "-m", "lab.bench.planning", str(hosts)]
        done = subprocess.run(
            line, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        raise LabError(f"a fleet of {hosts} was not planned:\n{done.stderr}")
    return Planning(**json.loads(done.stdout))


def measure(hosts: int) -> Planning:
    """Do it in this process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fleet.yaml"
        path.write_text(inventory(hosts), encoding="utf-8")
        begun = time.monotonic()
        declared = load(path).hosts
        validated = time.monotonic()
        # A run has all of them at once, too.
        fleet = [(it, question(it)) for it in map(plan, declared)]
        planned = time.monotonic()
    assert len(fleet) == hosts
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Planning(hosts, validated - begun, planned - validated, peak)


def inventory(hosts: int) -> str:
    """The YAML of a fleet of every profile, in which each host says something of its own."""
    tree = REPOSITORY / "lab" / "venom"
    data = {
        "defaults": {"venom": {"tree": str(tree), "like": contract().release}, "model": "gemma3:4b"},
        "groups": {name: {"profile": name} for name in _PROFILES},
        "hosts": {
            f"box{number}": {
                "address": f"box{number}.example.org",
                "groups": [_PROFILES[number % len(_PROFILES)]],
                "ports": {"ui": 3000 + number % 100},
            }
            for number in range(hosts)
        },
    }
    return yaml.safe_dump(data, sort_keys=False)


def plan(declared: DeclaredHost) -> Planned:
    """What `plan_one` makes of a host, with a lock that nobody resolves."""
    hardware = assumed_hardware(declared)
    it = resolved(declared, hardware)
    archive = pack(it.source)
    lock = _lock()
    release = Release.of(it, archive.key, archive.digest_of(*ui.SOURCES), lock.sha256)
    build, settings = Build(release, archive, lock), dict(it.backend.env_file)
    listed = components(it, build, settings, revealed(it.door), gpu=bool(hardware.gpus))
    return Planned(hardware, it, declaration(declared), build, settings, listed)


@cache
def _lock() -> Lock:
    path = FOLDER / contract().release / "api-py3.12-amd64.txt"
    text = path.read_text(encoding="utf-8")
    return Lock(path, text, hashlib.sha256(text.encode()).hexdigest(), fresh=False)


def question(planned: Planned) -> str:
    """What the host would be asked, whole."""
    it = question_about(planned.resources, planned.store_paths, planned.units, planned.generation.services)
    return f"{command(it).get_raw_value()}\n{it}"


if __name__ == "__main__":
    print(json.dumps(asdict(measure(int(sys.argv[1])))))
