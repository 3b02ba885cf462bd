"""Runs on the host that serves the store: puts signed plans there, or says what is missing for that.

Arguments: the store's tree; "look" or "publish". Standard input: JSON with `plans` (host → text), `serial` of
all of them, and `contents` (digests). Prints what is missing, and which hosts have newer plans here.
"""

import hashlib
import json
import os
import sys

from form import published


def named(plan):
    """The digests that a plan names."""
    every = [*plan.get("cache", {}).values(), *plan.get("house", []), *plan.get("environment", [])]
    return {it["sha256"] for it in every}


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def put(path, text):
    with open(path + ".part", "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".part", path)


def main():
    tree, what = sys.argv[1:]
    request = json.load(sys.stdin)
    if not os.path.isdir(tree):
        sys.exit("there is no store here yet: %s" % tree)
    folder = os.path.join(tree, "pull")
    contents = os.path.join(folder, "contents")
    os.makedirs(contents, exist_ok=True)
    paths = {host: os.path.join(folder, host + ".signed") for host in request["plans"]}
    newer = {it: published(path).get("serial", 0) for it, path in paths.items()}
    newer = {it: serial for it, serial in newer.items() if serial >= request["serial"]}
    wanted = {it: os.path.join(contents, it) for it in request["contents"]}
    missing = [it for it, path in wanted.items() if not os.path.exists(path) or digest(path) != it]
    if what == "publish" and not newer:
        if missing:
            sys.exit("these came damaged: %s" % ", ".join(missing))
        for path in wanted.values():
            os.chmod(path, 0o644)
        for host, text in request["plans"].items():
            put(paths[host], text)
        every = [published(os.path.join(folder, it)) for it in os.listdir(folder) if it.endswith(".signed")]
        needed = set().union(*map(named, every))
        for it in set(os.listdir(contents)) - needed:
            os.unlink(os.path.join(contents, it))
    json.dump({"missing": missing, "newer": newer}, sys.stdout)


if __name__ == "__main__":
    main()
