"""Runs on the host: what of it is not as the current generation says, by the file of that. Changes nothing.

The controller compares the same (engine/generation.py), and says why. Here a number is enough.
"""

import os
import pwd

from fingerprint import fingerprint

IDLE = ("inactive", "failed", "unknown", "")


def differing(generation, units, answers):
    """The things that differ, by their names.

    `units`: what systemctl shows of all units that the generation names; `answers`: what its services say.
    """
    found = [name(it) for it in generation["resources"] if not as_declared(it, units)]
    found += [it["unit"] for it in generation["services"] if not runs(it, units[it["unit"]], answers)]
    found += [it for it in generation["stopped"] if units[it].get("ActiveState", "") not in IDLE]
    found += [it for it in generation["parts"] if not os.path.lexists(it)]
    return sorted(set(found))


def named(generation):
    """The units that it names."""
    enabled = [it["unit"] for it in generation["resources"] if it["kind"] == "enabled"]
    services = [it["unit"] for it in generation["services"]]
    return list(dict.fromkeys([*services, *generation["stopped"], *enabled]))


def name(resource):
    return resource.get("path") or "%s (enabled)" % resource["unit"]


def as_declared(resource, units):
    kind, path = resource["kind"], resource.get("path", "")
    if kind == "enabled":
        return units[resource["unit"]].get("UnitFileState") == "enabled"
    if kind == "absent":
        return not os.path.lexists(path)
    try:
        if kind == "link":
            return os.readlink(path) == resource["target"]
        status = os.stat(path, follow_symlinks=kind == "directory")
        if not owned(status, resource["owner"], int(resource.get("mode", "600"), 8)):
            return False
        if kind == "directory":
            return os.path.isdir(path)
        with open(path, "rb") as file:
            text = file.read().decode("utf-8", "surrogateescape")
    except (OSError, KeyError):
        return False
    if kind == "settings":
        return has(text, resource["values"])
    return text == resource["content"]


def owned(status, owner, mode):
    """Whether a file is its owner's, with that mode. Raises KeyError where there is no such user."""
    return status.st_uid == pwd.getpwnam(owner).pw_uid and status.st_mode & 0o7777 == mode


def has(text, values):
    """Whether settings have these values; others may stand beside them."""
    lines = (line.partition("=") for line in text.splitlines() if not line.lstrip().startswith("#"))
    have = {key.strip(): value.strip() for key, equals, value in lines if equals}
    return all(have.get(key) == value for key, value in values.items())


def runs(service, unit, answers):
    """Whether its process has the inputs of the generation."""
    if unit.get("ActiveState") != "active":
        return False
    if service.get("reloads"):
        return not answers[service["unit"]]
    return fingerprint(unit.get("MainPID", "0")) == service["fingerprint"]
