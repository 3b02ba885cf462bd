"""Runs on the host that serves the store: compares what hosts want with what is noted and held, as JSON.

Standard input: {"items": {ID: item}, "wants": {HOST: [ID…]}, "hosts": [all that ask this store]}.
With the argument "note" it notes what they want; without, it changes nothing.
"""

import json
import os
import sys

import tree


def main():
    asked = json.load(sys.stdin)
    tree.as_owner()
    recorded, known = tree.wanted(), tree.read_json(tree.ITEMS, {})
    kept = {host: ids for host, ids in recorded.items() if host in asked["hosts"]}
    wanted = {**kept, **asked["wants"]}
    every = tree.items(wanted, {**known, **asked["items"]})
    if "note" in sys.argv[1:]:
        note(recorded, wanted, every)
    json.dump(
        {
            "unknown": sorted(set(asked["hosts"]) - set(wanted)),
            "missing": sorted(it["name"] for it in every.values() if not tree.held(it)),
            "stale": any(map(tree.stale, {it["fits"][0] for it in every.values() if it["kind"] == "debian"})),
            "unlisted": len(tree.unlisted(every)),
            "ids": sorted(every),
            "recorded": recorded == wanted and known == every,
        },
        sys.stdout,
    )


def note(recorded, wanted, every):
    tree.make_folders()
    tree.write_json(tree.ITEMS, every)
    for host in set(recorded) - set(wanted):
        os.unlink(tree.wants_of(host))
    for host, ids in wanted.items():
        if recorded.get(host) != ids:
            tree.write_json(tree.wants_of(host), ids)


if __name__ == "__main__":
    main()
