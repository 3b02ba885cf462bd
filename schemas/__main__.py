"""`python -m schemas INVENTORY`: validates an inventory and prints each host's plan.

The plan is made from assumed hardware, since nobody is asked over the network. Exit status 0, or 2
with every problem on standard error.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys

from schemas.declared.inventory_schema import fill
from schemas.declared.reference import LANGUAGES, reference
from schemas.inventory import InventoryError, load
from schemas.plan.host import assumed_hardware, describe, plan_host, to_dict
from schemas.plan.rollout import describe_rollout
from schemas.reading.problem import ProblemsError


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line; gives the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m schemas", description="Validate an inventory and print its plans."
    )
    parser.add_argument("inventory", nargs="?", help="the YAML file, e.g. inventories/lab.yaml")
    parser.add_argument("--json", action="store_true", help="print the plans as JSON, by host")
    parser.add_argument(
        "--reference",
        nargs="?",
        const="en",
        choices=LANGUAGES,
        help="print the inventory's reference as Markdown instead",
    )
    parser.add_argument(
        "--schema",
        action="store_true",
        help="write the contract's enums and defaults into the inventory's JSON schema instead",
    )
    given = parser.parse_args(arguments)
    if given.schema:
        fill()
        return 0
    if given.reference:
        print(reference(given.reference), end="")
        return 0
    if given.inventory is None:
        parser.error("name an inventory, e.g. inventories/lab.yaml")
    try:
        inventory = load(given.inventory)
        plans = [plan_host(host, assumed_hardware(host)) for host in inventory.hosts]
    except ProblemsError as error:
        kind = "inventory" if isinstance(error, InventoryError) else "plan"
        print(f"{kind}: {error}", file=sys.stderr)
        return 2
    if given.json:
        print(json.dumps({plan.host: to_dict(plan) for plan in plans}, indent=2, sort_keys=True))
    else:
        blocks = [describe(plan) for plan in plans]
        if inventory.rollout:
            blocks.append(describe_rollout(inventory.rollout, [plan.host for plan in plans]))
        print("\n\n".join(blocks))
    return 0


if __name__ == "__main__":
    # A reader that has seen enough (head, less) ends this quietly, as it ends any other tool.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
