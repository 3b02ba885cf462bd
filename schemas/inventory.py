"""Loads an inventory: every problem at once, or the hosts as declared.

`load` is all that an inventory's `.py` and a deploy need. It reads and checks in this order, and each
step goes on with what the one before left sound: YAML, schema, inheritance, contract and pins, this
machine (keys, sources, secrets), and at last each host's plan on assumed hardware.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from schemas.data.pins import load as load_pins
from schemas.declared import address as addresses
from schemas.declared.checks import is_file, machine
from schemas.declared.host import DeclaredHost, declare
from schemas.declared.references import absolute
from schemas.declared.remedies import InventoryRemedies
from schemas.declared.rollout import Rollout, rollout_of
from schemas.declared.store import store_problems, with_stores
from schemas.plan.host import assumed_hardware, plan_host
from schemas.reading.document import Document, read
from schemas.reading.inherit import Settings, settings_of
from schemas.reading.problem import InventoryError, PlanError, Problem, did_you_mean, listed
from schemas.reading.validate import Sound, schema, validate

__all__ = ["DeclaredHost", "Inventory", "InventoryError", "Problem", "load", "pyinfra_groups"]


@dataclass(frozen=True)
class Inventory:
    """The hosts of one file, and the groups with their members' names, both in the file's order."""

    path: Path
    hosts: tuple[DeclaredHost, ...]
    groups: Mapping[str, tuple[str, ...]]
    rollout: Rollout | None = None  # how they switch one after the other; None: all at once

    def host(self, name: str) -> DeclaredHost:
        """The host `name`. Raises KeyError for an unknown one."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)


def load(path: str | Path, environ: Mapping[str, str] | None = None, sound: Sound | None = None) -> Inventory:
    """The inventory in the YAML file at `path`.

    `environ` is where `env:` secrets are looked up (default: the process's own). What the schema had
    nothing against before is in `sound`, and it is not asked again. Raises `InventoryError` with every
    problem there is, and nothing else whatever the file holds.
    """
    document = read(Path(path), _name(Path(path)))
    if document.problems:
        raise InventoryError(document.problems)
    for keys in [("defaults",), *(("groups", g) for g in _names(document, "groups"))]:
        _nothing_is_empty(document, keys)
    for name in _names(document, "hosts"):
        _nothing_is_empty(document, ("hosts", name))
    valid = validate(document, schema("inventory"), InventoryRemedies, sound)
    problems, data = list(valid.problems), valid.data
    groups = data.get("groups") or {}
    for name, host in data.get("hosts", {}).items():
        problems += _unknown_groups(document, name, host, list(groups))
    settings = [settings_of(document, data, name) for name in data.get("hosts", {})]
    pins, faults = load_pins(_pin_files(document, data.get("pins", ()), problems), sound)
    problems += faults
    hosts: list[DeclaredHost] = []
    if pins is not None:
        for one in settings:
            declared, faults = declare(one, pins)
            problems += faults
            if declared is not None:
                hosts.append(declared)
    for one in settings:
        problems += machine(one, os.environ if environ is None else environ)
    problems += _addresses(settings)
    problems += store_problems(settings)
    rollout = rollout_of(document, data, problems)
    if not problems:
        hosts = [replace(it, rollout=rollout) for it in with_stores(hosts, settings)]
        problems += _cannot_work(hosts)
    if problems:
        raise InventoryError(problems)
    members = {
        group: tuple(name for name, host in data["hosts"].items() if group in host.get("groups", ()))
        for group in groups
    }
    return Inventory(Path(path), tuple(hosts), members, rollout)


def pyinfra_groups(inventory: Inventory, *, here: bool = False) -> dict[str, list[Any]]:
    """What an inventory's `.py` gives to pyinfra: `hosts` with their data, and a list a group.

    `here`: the one host is this very machine, whatever address others know it by.

    A host's data are `declared`, the `DeclaredHost`, and pyinfra's own name for sudo. It is reached by the
    connector of engine/connection, which then knows it by its name alone. Raises `InventoryError`
    where this environment was installed before there was one.
    """
    if not _connectors_there():
        found = "an environment of an earlier version, without our connector for pyinfra"
        remedy = "install it again: .venv/bin/pip install -e ."
        raise InventoryError(
            [Problem("pyproject.toml", 0, "", found, "an environment of this version", remedy)]
        )
    names = {
        host.name: "@venom-local" if here or _local(host) else f"@venom/{host.name}"
        for host in inventory.hosts
    }
    hosts = [(names[host.name], _data(host)) for host in inventory.hosts]
    groups = {group: [names[name] for name in members] for group, members in inventory.groups.items()}
    return {"hosts": hosts, **groups}


def _connectors_there() -> bool:
    """Whether this environment was installed with our connectors; of other packages nothing is read."""
    try:
        return "venom-local" in distribution("venom-provisioner").entry_points.names
    except PackageNotFoundError:
        return False


def _data(host: DeclaredHost) -> dict[str, Any]:
    sudo = {} if host.ssh.sudo is None else {"_sudo": host.ssh.sudo}
    return {"declared": host, **sudo}


def _local(host: DeclaredHost) -> bool:
    return host.ssh.address == "@local"


def _name(path: Path) -> str:
    """A path as messages show it: from the working directory where it lies below that."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def _pin_files(document: Document, names: list[str], problems: list[Problem]) -> list[tuple[Path, str]]:
    """The further files of pins, with their names in messages. One that is missing is a problem."""
    files = []
    for index, name in enumerate(names):
        path = Path(absolute(name, Settings("", document)))
        if is_file(str(path)):
            files.append((path, _name(path)))
        else:
            found = f"{path}: no such file"
            problems.append(document.problem(("pins", index), found, "a file of pins"))
    return files


def _names(document: Document, section: str) -> list[str]:
    found = document.data.get(section)
    return list(found) if isinstance(found, dict) else []


def _nothing_is_empty(document: Document, keys: tuple[str, ...]) -> None:
    """`lab2:` with nothing below it is a host that says nothing of its own, and no fault."""
    parent = document.data
    for key in keys[:-1]:
        parent = parent[key]
    if keys[-1] in parent and parent[keys[-1]] is None:
        parent[keys[-1]] = {}


def _unknown_groups(document: Document, name: str, host: dict[str, Any], known: list[str]) -> list[Problem]:
    problems = []
    for index, group in enumerate(host.get("groups", ())):
        if group not in known:
            keys = ("hosts", name, "groups", index)
            hint = did_you_mean(group, known) or f"declare it under groups: {group}: {{}}"
            problems.append(document.problem(keys, f'"{group}"', listed(known), hint))
    host["groups"] = [group for group in host.get("groups", ()) if group in known]
    return problems


def _addresses(settings: list[Settings]) -> list[Problem]:
    """What is wrong with each. Two names of one machine would be converged at once, against each other."""
    problems, seen = [], dict[tuple[str, int], str]()
    for one in settings:
        address = one.get("address", default=one.host)
        if fault := addresses.fault(address):
            allowed = "a host name, an IP address or @local"
            problems.append(one.problem(("address",), f"{address}: {fault}", allowed))
            continue
        port = one.get("ssh", "port", default=22) if address != "@local" else 0
        first = seen.setdefault((addresses.canonical(address), port), one.host)
        if first != one.host:
            found = f"{address}" + (f" port {port}" if port else "") + f", which {first} has too"
            origin = ("hosts", one.host, "address")
            problems.append(one.document.problem(origin, found, "an address of its own"))
    return problems


def _cannot_work(hosts: list[DeclaredHost]) -> list[Problem]:
    problems: list[Problem] = []
    for host in hosts:
        try:
            plan_host(host, assumed_hardware(host))
        except PlanError as error:
            problems += error.problems
    return problems
