"""Runs on the host: what serves here now, and what was applied last, as JSON. Changes nothing.

Standard input: the nonce, and what has a version, by name: a command whose last word it is.

No secret leaves the host: of files and settings in the current generation come digests, those of
settings mixed with the nonce of this run.
"""

import hashlib
import json
import sys
import time

import snapshots
from reading import read, read_json
from serving import GENERATIONS, answers, current, described, models, shown, version

ETC = "/etc/venom"
BACKED_UP = "/var/log/venom-provisioner/backup.json"
LOCK = "/run/venom-provisioner.lock"
MEASURED = "/var/log/venom-provisioner/measured.jsonl"


def sha256(text):
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def without_contents(resource, nonce):
    if resource["kind"] == "file":
        return dict(resource, content=sha256(resource["content"]))
    if resource["kind"] == "settings":
        values = {key: sha256(nonce + value) for key, value in resource["values"].items()}
        return dict(resource, values=values)
    return resource


def kept():
    """The generations that can be gone back to, the one that was switched to last first."""
    found = {}
    for line in reversed(read(GENERATIONS + "/history").splitlines()):
        at, key = line.split()
        generation = read_json("%s/%s.json" % (GENERATIONS, key))
        if generation and key not in found:
            found[key] = {"key": key, "at": at, "name": generation["name"], **data_of(key)}
    return list(found.values())


def data_of(key):
    """Of when the copy of data is that rollback can bring back with the generation, and its bytes."""
    copy = snapshots.newest(key)
    if not copy:
        return {"data_at": "", "data_bytes": 0}
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(snapshots.made_at(copy)))
    return {"data_at": at, "data_bytes": snapshots.size(copy)}


def main():
    request = json.load(sys.stdin)
    key, generation = current()
    if generation:
        resources = [without_contents(it, request["nonce"]) for it in generation["resources"]]
        generation = dict(generation, resources=resources)
    services = generation["services"] if generation else []
    units = shown([it["unit"] for it in services] + (generation["stopped"] if generation else []))
    json.dump(
        {
            "now": int(time.time()),
            "key": key,
            "generation": generation,
            "receipt": read_json(ETC + "/receipt.json"),
            "kept": kept(),
            "units": {name: described(unit) for name, unit in units.items()},
            "answers": answers(services),
            "models": models(services),
            "versions": {name: version(it) for name, it in request["versions"].items()},
            "lock": read(LOCK).strip(),
            "measured": (read(MEASURED).splitlines() or [""])[-1],
            "backup": read_json(BACKED_UP),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
