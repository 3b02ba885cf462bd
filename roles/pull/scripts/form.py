"""What a published plan is, for who signs it and for the host that reads it.

First the armoured signature of ssh-keygen, then JSON. In one file, so that one rename publishes both.
"""

import json

# What else the key signs (commits, bundles) is no plan.
NAMESPACE = "venom-pull"
# Of the JSON: another one needs another program on the host.
FORM = 1
END = "-----END SSH SIGNATURE-----\n"


def published(path: str) -> dict[str, object]:
    """The plan in this file, whoever signed it; empty where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            plan: dict[str, object] = json.loads(file.read().partition(END)[2])
    except FileNotFoundError:
        return {}
    return plan
