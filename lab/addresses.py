"""Which address of the lab a new host gets."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

from lab import network
from lab.state import LabError

# labN has the address N+10; every other name the next free one from 110 on.
_NUMBERED = re.compile(r"lab([1-9][0-9]?)")


def free(name: str, taken: Collection[str], wanted: str | None = None) -> str:
    """The address for a host of this name, or the `wanted` one. `LabError` where none is free."""
    if wanted:
        candidates = [wanted]
    elif numbered := _NUMBERED.fullmatch(name):
        candidates = [str(network.SUBNET[10 + int(numbered[1])])]
    else:
        candidates = [str(network.SUBNET[number]) for number in range(110, 250)]
    for address in candidates:
        if address not in taken and _in_lab(address):
            return address
    raise LabError(
        f"{name}: {wanted or 'there'} is not a free address of the lab"
        f" ({network.SUBNET}; taken: {', '.join(sorted(taken)) or 'none'})"
    )


def _in_lab(address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in network.SUBNET and address != network.GATEWAY
    except ValueError:
        return False
