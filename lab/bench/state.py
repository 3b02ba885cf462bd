"""The state that deploy/venom.py keeps on a host, as variables of the playbook that keeps the same."""

from __future__ import annotations

from typing import Any, assert_never

from engine import paths
from engine.env import quoted
from engine.resources import (
    Absent,
    Directory,
    Diverted,
    Enabled,
    EnvFile,
    File,
    Link,
    Packages,
    User,
)
from fleet.assessment import Planned
from schemas.data.systems import systems


def variables(planned: Planned) -> dict[str, Any]:
    """Everything that the look of a run asks the host about, a list a kind.

    Left out is what only the product has: the receipt of the generation, and the fingerprints that
    running processes carry.
    """
    found: dict[str, Any] = {
        "venom_become": planned.plan.ssh.sudo,
        "venom_systems": [it.name for it in systems().values()],
        "venom_packages": [],
        "venom_users": [],
        "venom_directories": [],
        "venom_files": [],
        "venom_links": [],
        "venom_absent": [],
        "venom_parts": [*planned.store_paths, paths.CA_CERTIFICATES],
        "venom_digests": "".join(f"{job.digest}  {job.makes}\n" for job in planned.jobs if job.digest),
    }
    services = [it.unit for it in planned.generation.services]
    units = {unit: {"enabled": False, "state": "started"} for unit in services}
    units |= {unit: {"enabled": False, "state": "stopped"} for unit in planned.generation.stopped}
    for resource in planned.resources:
        match resource:
            case Packages(names):
                found["venom_packages"] += names
            case User(name, home, _):
                found["venom_users"].append({"name": name, "home": home})
            case Directory(path, owner, mode):
                found["venom_directories"].append({"path": path, "owner": owner, "mode": mode})
            case File(path, content, owner, mode):
                found["venom_files"].append({"path": path, "content": content, "owner": owner, "mode": mode})
            case Link(path, target):
                found["venom_links"].append({"path": path, "target": target})
            case EnvFile(path, values, owner):
                lines = {key: quoted(value) for key, value in values.items()}
                found["venom_settings"] = {"path": path, "owner": owner, "lines": lines}
            case Enabled(unit):
                units.setdefault(unit, {"state": "started"})["enabled"] = True
            case Absent(path) | Diverted(path):
                found["venom_absent"].append(path)
            case _:
                assert_never(resource)
    found["venom_units"] = [{"unit": unit, **wanted} for unit, wanted in units.items()]
    return found
