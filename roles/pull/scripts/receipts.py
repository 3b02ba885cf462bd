"""Runs on the host that serves the store: what hosts that pull have reported, and what is published for them.

Arguments: the folder of the receipts, that of the plans, the hosts' names. Prints JSON by the host.
"""

import json
import os
import sys
import time

from form import published


def receipt(path):
    """What a host reported, and when by this host's clock; nothing where it never did, or nonsense."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            found = json.loads(file.read())
        return (found if isinstance(found, dict) else {}), int(os.path.getmtime(path))
    except FileNotFoundError:
        return {}, 0
    except ValueError:
        return {}, int(os.path.getmtime(path))


def main():
    receipts, plans, *hosts = sys.argv[1:]
    found = {}
    for host in hosts:
        left, at = receipt(os.path.join(receipts, host + ".json"))
        serial = published(os.path.join(plans, host + ".signed")).get("serial", 0)
        found[host] = {"receipt": left, "at": at, "published": serial}
    json.dump({"now": int(time.time()), "hosts": found}, sys.stdout)


if __name__ == "__main__":
    main()
