"""Runs on the host: reports the state of everything it is asked about, as JSON. Changes nothing."""

import grp
import hashlib
import json
import os
import pwd
import stat
import subprocess
import sys
import time

from asked import asked as asked_of
from fingerprint import fingerprint

import images

# Larger files (archives, weights) are known by their name, which holds their key or digest.
HASH_LIMIT = 1 << 20
# What the units that the provisioner writes begin with.
MARK = b"Managed by the Venom provisioner"
KINDS = {stat.S_IFDIR: "directory", stat.S_IFREG: "file", stat.S_IFLNK: "link"}
UNIT_PROPERTIES = [
    "Id", "LoadState", "ActiveState", "SubState", "UnitFileState", "MainPID",
    "NeedDaemonReload", "FragmentPath", "SourcePath", "NRestarts", "ExecMainStartTimestamp",
    "InactiveEnterTimestamp",
]  # fmt: skip


def name_of(database, number):
    try:
        return database(number)[0]
    except KeyError:
        return str(number)


def look_at(path):
    try:
        status = os.lstat(path)
    except OSError:
        return None
    if os.path.dirname(path) == images.FOLDER and not images.there(path):
        return None
    seen = {
        "kind": KINDS.get(stat.S_IFMT(status.st_mode), "other"),
        "mode": "%04o" % stat.S_IMODE(status.st_mode),
        "owner": name_of(pwd.getpwuid, status.st_uid),
        "group": name_of(grp.getgrgid, status.st_gid),
    }
    if seen["kind"] == "link":
        seen["target"] = os.readlink(path)
    if seen["kind"] == "file" and status.st_size <= HASH_LIMIT:
        with open(path, "rb") as file:
            content = file.read()
        seen["sha256"] = hashlib.sha256(content).hexdigest()
        if MARK in content[:200]:
            seen["ours"] = "yes"
        if path.startswith(asked["manifests"] + "/"):
            seen["lacks"] = lacks(content)
    return seen


def lacks(manifest):
    """What of the weights is not there whole, by its size: to read gigabytes would take too long."""
    try:
        told = json.loads(manifest)
        parts = [(it["digest"].replace(":", "-"), it["size"]) for it in [told["config"], *told["layers"]]]
    except (ValueError, LookupError, TypeError, AttributeError):
        return "is no manifest"
    for name, size in parts:
        blob = os.path.join(os.path.dirname(asked["manifests"]), "blobs", name)
        try:
            found = os.stat(blob).st_size
        except OSError:
            found = 0
        if found != size:
            return "of %s there are %d of %d bytes" % (name[:19], found, size)
    return ""


def look_at_link(path, package):
    """A link of a package's, and whether what it leads to is as the package brought it."""
    seen = look_at(path)
    if seen and seen["kind"] == "link":
        with open(os.path.realpath(path), "rb") as file:
            digest = hashlib.md5(file.read(), usedforsecurity=False).hexdigest()
        answer = subprocess.run(
            ["dpkg-query", "--show", "--showformat", "${Conffiles}\n", package],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
        )  # fmt: skip
        if " %s %s\n" % (os.path.realpath(path), digest) in answer.stdout:
            seen["pristine"] = "yes"
    return seen


def look_at_certificate(path):
    """A certificate, with how many days it is still valid, and its fingerprint as browsers show it."""
    seen = look_at(path)
    if seen:
        command = ["openssl", "x509", "-in", path, "-noout", "-enddate", "-fingerprint", "-sha256"]
        said = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
        ).stdout  # fmt: skip
        told = dict(line.partition("=")[::2] for line in said.splitlines())
        if "notAfter" in told:
            import calendar  # takes long, and most doors need none

            until = calendar.timegm(time.strptime(told["notAfter"], "%b %d %H:%M:%S %Y %Z"))
            seen["days"] = str(int(until - time.time()) // 86400)
            seen["fingerprint"] = said.rpartition("=")[2].strip()
    return seen


def answer(url, certificate):
    try:
        return asked_of(url, certificate)
    except OSError:
        return None


def look_at_env(path, nonce):
    seen = look_at(path)
    if seen is None:
        return None
    values = {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            key, equals, value = line.partition("=")
            if equals and not key.lstrip().startswith("#"):
                values[key.strip()] = hashlib.sha256((nonce + value.strip()).encode()).hexdigest()
    seen["values"] = values
    return seen


def look_at_units(names):
    if not names:
        return {}
    answer = subprocess.run(
        ["systemctl", "show", "--property", ",".join(UNIT_PROPERTIES), "--", *names],
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    units = {}
    for name, block in zip(names, answer.stdout.strip("\n").split("\n\n"), strict=False):
        unit = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        # What a quadlet becomes lies with the generator's files: what counts is what it was made of.
        unit["FragmentPath"] = unit.pop("SourcePath", "") or unit.get("FragmentPath", "")
        if unit.get("MainPID", "0") != "0":
            unit["Fingerprint"] = fingerprint(unit["MainPID"])
        units[name] = unit
    return units


def look_at_user(name):
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        return None
    groups = [group.gr_name for group in grp.getgrall() if name in group.gr_mem]
    return {"home": user.pw_dir, "groups": sorted(groups)}


def installed(names):
    if not names:
        return []
    answer = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *names],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False,
    )  # fmt: skip
    lines = [line.split() for line in answer.stdout.splitlines()]
    return sorted({line[0] for line in lines if line[1:] == ["installed"]})


def known(names, look):
    seen = {name: look(name) for name in names}
    return {name: value for name, value in seen.items() if value is not None}


def models(manifests):
    """Each manifest of weights, and how many bytes its layers have."""
    found = {}
    for folder, _, names in os.walk(manifests):
        for path in [os.path.join(folder, name) for name in names]:
            try:
                with open(path, encoding="utf-8") as file:
                    found[path] = sum(layer["size"] for layer in json.load(file)["layers"])
            except (OSError, ValueError, LookupError):
                continue
    return found


def read_receipt(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


asked = json.load(sys.stdin)
links = asked["links"]
json.dump(
    {
        "paths": {
            **known(asked["paths"], look_at),
            **known(asked["certificates"], look_at_certificate),
            **known(links, lambda path: look_at_link(path, links[path])),
        },
        "answers": known(asked["doors"], lambda url: answer(url, asked["doors"][url])),
        "env_files": known(asked["env_files"], lambda path: look_at_env(path, asked["nonce"])),
        "units": look_at_units(asked["units"]),
        "users": known(asked["users"], look_at_user),
        "groups": [group.gr_name for group in grp.getgrall()],
        "packages": installed(asked["packages"]),
        "models": models(asked["manifests"]),
        "receipt": read_receipt(asked["receipt"]),
    },
    sys.stdout,
)
