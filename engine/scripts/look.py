"""Runs on the host, by look.sh: what takes more than a shell to be read, as a line of JSON. Changes nothing.

Argument: what systemctl shows of the units that are asked for, in their order.
"""

import hashlib
import json
import os
import sys
import time

import certificates
import images
from fingerprint import fingerprint
from read_door import read_door

# The oldest that the scripts of the provisioner run on; no system that it supports has an older one.
OLDEST = (3, 10)


def look_at_certificate(path):
    """How many days a certificate is still valid, and its fingerprint as browsers show it."""
    seen = certificates.look_at(path)
    if not seen:
        return seen
    days = str(int(seen["until"] - time.time()) // 86400)
    return {"days": days, "fingerprint": seen["fingerprint"]}


def answer(url, certificate):
    try:
        return read_door(url, certificate)
    except OSError:
        return None


def silence(url):
    """Why nothing answers at the address of a service; None where something does."""
    try:
        read_door(url)
    except OSError as error:
        return str(error)
    return None


def look_at_env(path, nonce):
    values = {}
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.readlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    for line in lines:
        key, equals, value = line.partition("=")
        if equals and not key.lstrip().startswith("#"):
            values[key.strip()] = hashlib.sha256((nonce + value.strip()).encode()).hexdigest()
    return values


def fingerprints(names, shown):
    """Unit → what its main process was started with, where it has one."""
    found = {}
    for name, block in zip(names, shown.strip("\n").split("\n\n"), strict=False):
        unit = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if unit.get("MainPID", "0") != "0":
            found[name] = fingerprint(unit["MainPID"])
    return found


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


def lacks(path, manifests):
    """What of the weights of a manifest is not there whole, by its size: to read gigabytes takes too long.

    Empty where nothing is.
    """
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        parts = [
            (it["digest"].replace(":", "-"), it["size"]) for it in [document["config"], *document["layers"]]
        ]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return "is not a manifest"
    for name, size in parts:
        blob = os.path.join(os.path.dirname(manifests), "blobs", name)
        try:
            found = os.stat(blob).st_size
        except OSError:
            found = 0
        if found != size:
            return "%s has %d of %d bytes" % (name[:19], found, size)
    return ""


def read_receipt(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def main():
    question = json.load(sys.stdin)
    seen = {
        "certificates": known(question["certificates"], look_at_certificate),
        "answers": known(question["doors"], lambda url: answer(url, question["doors"][url])),
        "silent": known(question["services"], silence),
        "env_files": known(question["env_files"], lambda path: look_at_env(path, question["nonce"])),
        "fingerprints": fingerprints(question["units"], sys.argv[1]),
        # A marker stands for what lies in an engine's store; it counts while that is so.
        "images": [it for it in question["images"] if images.there(it)],
        "models": models(question["manifests"]),
        "lacks": {it: lacks(it, question["manifests"]) for it in question["weights"] if os.path.lexists(it)},
        "receipt": read_receipt(question["receipt"]),
    }
    print("rest=" + json.dumps(seen))


if sys.version_info < OLDEST:
    sys.exit("it is Python %s.%s" % sys.version_info[:2])
main()
