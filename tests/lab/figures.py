"""What an acceptance measured, held against what the host says when it is asked in another way."""

from __future__ import annotations

import json

import pytest

from engine import paths
from lab.hosts import Host
from roles.verification import history
from roles.verification.acceptance import HostAcceptance, Measured

_UNITS = {
    "backend": "venom-backend.service",
    "ui": "venom-ui.service",
    "ollama": "ollama.service",
    "door": "nginx.service",
}
_PARTS = {
    "source": f"{paths.CURRENT}/source",
    "environment": f"{paths.CURRENT}/venv",
    "ui": f"{paths.CURRENT}/ui",
    "node": f"{paths.CURRENT}/node",
    "ollama": f"{paths.OLLAMAS}/current",
    "weights": paths.MODELS,
}


def agree(host: Host, it: HostAcceptance) -> None:
    """Fail unless the figures agree with the host's processes, files and receipt."""
    values = {name: metric.value for name, metric in it.metrics.items()}
    has = [name for name, unit in _UNITS.items() if resident(host, unit)]
    assert sum(values[f"{name}_memory_mib"] for name in has) == pytest.approx(values["memory_mib"], abs=0.1)
    for name in has:
        # What several processes share is in the resident set of each, but in PSS once.
        assert (
            0.2 * resident(host, _UNITS[name])
            < values[f"{name}_memory_mib"]
            < 1.2 * resident(host, _UNITS[name])
        )
    for name, path in _PARTS.items():
        if f"{name}_mib" in values:
            assert values[f"{name}_mib"] == pytest.approx(used(host, path), rel=0.01, abs=0.1), name
    parts = sum(values.get(f"{name}_mib", 0) for name in _PARTS)
    assert parts / 1024 < values["disk_gib"] < 20
    receipt = json.loads(host.read(paths.RECEIPT))
    # The door goes on, by a reload; of what ran before a receipt was lost, nobody knows any more.
    started = [name for name in has if _UNITS[name] in receipt["starts"]]
    assert set(receipt["starts"]) == {_UNITS[name] for name in started if name != "door"}
    assert all(0 < values[f"{name}_ready_seconds"] < 120 for name in started)
    assert values["run_seconds"] == receipt["seconds"]
    received = [branch.get("received", 0) for branch in receipt["branches"].values()]
    assert values.get("download_mib", 0) == pytest.approx(sum(received) / 2**20, abs=0.01)
    assert it.history[-1] == remembered(host)[-1]
    assert dict(it.history[-1].metrics) == values


def resident(host: Host, unit: str) -> float:
    """MiB of the resident sets of all processes of a unit; 0 where it does not run."""
    group = f"/sys/fs/cgroup$(systemctl show --property ControlGroup --value {unit})/cgroup.procs"
    line = f"for pid in $(cat {group}); do grep VmRSS: /proc/$pid/status; done"
    if host.run(f"systemctl is-active --quiet {unit}", check=False).returncode:
        return 0
    return sum(int(it.split()[1]) for it in host.run(line).stdout.splitlines()) / 1024


def used(host: Host, path: str) -> float:
    """MiB of the blocks of all that lies there, a file at a time."""
    listed = host.run(f"find -H {path} -printf '%i %b\\n' | sort -u").stdout
    return sum(int(line.split()[1]) for line in listed.splitlines()) / 2048


def remembered(host: Host) -> list[Measured]:
    """What the host remembers."""
    return history.parsed(host.run(f"cat {paths.MEASURED}", check=False).stdout.splitlines())
