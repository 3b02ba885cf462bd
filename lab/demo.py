"""The demonstration: fresh hosts, provisioned by the main job, and where to look afterwards.

The environment chooses what is installed, and on what: VENOM_SOURCE (a git repository, by path or
URL; without it the small Venom of the lab), VENOM_RELEASE, VENOM_PROFILE, VENOM_LAB_OLLAMA, DEBIAN.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab import base, fleet, ssh, upstream_process
from lab.hosts import Host
from lab.state import REPOSITORY, LabError
from schemas.inventory import DeclaredHost, InventoryError, load

_RECEIPT = "/etc/venom/receipt.json"


def run(environment: Mapping[str, str] = os.environ) -> int:
    """Boot the inventory's hosts afresh, provision them, say what was measured, where to look."""
    debian = _debian(environment.get("DEBIAN") or "12")
    inventory = fleet.inventory(environment)
    upstream_process.ensure()
    ssh.ensure_key()
    declared = _declared(inventory)
    hosts = [Host.create(one.name, debian, address=one.ssh.address) for one in declared]
    status = _provision(inventory)
    if status != 0:
        print(f"\nlab: the main job failed (exit status {status}). The host is still up:")
        print(f"  script/lab ssh {hosts[0].name}")
        return status
    for host in hosts:
        _show_measured(host)
    _show_where_to_look(hosts[0], inventory)
    return 0


def _debian(text: str) -> int:
    known = [str(release) for release in base.SUITES]
    if text not in known:
        raise LabError(f"DEBIAN={text}: the lab has {' and '.join(known)}")
    return int(text)


def _provision(inventory: Path) -> int:
    """Run the main job as an operator would, from the repository's root."""
    pyinfra = Path(sys.executable).with_name("pyinfra")
    command = [str(pyinfra), "-y", str(inventory), "deploy/venom.py"]
    print(f"\n$ {shlex.join(command)}\n", flush=True)
    start = time.monotonic()
    status = subprocess.run(command, cwd=REPOSITORY, check=False).returncode
    print(f"\nThe main job took {time.monotonic() - start:.0f} s.")
    return status


def _declared(inventory: Path) -> Sequence[DeclaredHost]:
    """The inventory's hosts. A mistake in it is reported before anything is booted."""
    try:
        return load(inventory.with_suffix(".yaml")).hosts
    except InventoryError as error:
        raise LabError(str(error)) from None


def _show_measured(host: Host) -> None:
    """Print the receipt's figures: the run as a whole and each long branch, with its steps."""
    receipt = json.loads(host.read(_RECEIPT))
    print(f"\nMeasured on {host.name} (Debian {host.debian}), from {_RECEIPT}:")
    print(f"  {receipt['seconds']:7.1f} s  in all, of which side by side:")
    for branch, measured in receipt["branches"].items():
        print(f"  {measured['seconds']:7.1f} s  {branch}")
        for step in measured["steps"]:
            print(f"  {step['seconds']:13.1f} s  {step['step']}")


def _show_where_to_look(host: Host, inventory: Path) -> None:
    own = inventory.is_relative_to(REPOSITORY)
    shown = inventory.relative_to(REPOSITORY) if own else inventory
    tasks = f"script/lab run {host.name} -- curl -sS http://127.0.0.1/api/v1/tasks"
    question = json.dumps({"content": "What is a venom?", "store_knowledge": False})
    print(
        f"""
Where to look
  UI      {shlex.join(ssh.tunnel(host.address, {8000: 80}))}
          while that runs: http://127.0.0.1:8000 (the host's one door, which is open to itself only)
  Chat    {tasks} \\
            --json '{question}'
          and then, with the task_id that it answers:
          {tasks}/TASK_ID
  Get in  script/lab ssh {host.name}
  Again   .venv/bin/pyinfra -y {shown} deploy/venom.py      (which changes nothing)
  Away    script/lab down {host.name}"""
    )
