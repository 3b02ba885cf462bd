"""A host's address as an inventory gives it: what is wrong with it, and which spellings are one."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address


def fault(address: str) -> str:
    """What is wrong with an address of the right form; empty where nothing is."""
    numeric = ":" in address or re.fullmatch(r"[0-9.]+", address)
    return "neither an IP address nor a possible name" if numeric and not is_ip(address) else ""


def is_ip(text: str) -> bool:
    """Whether it is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def canonical(address: str) -> str:
    """The one spelling of all that lead to the same place: of names and of IPv6 there are several."""
    try:
        ip = ip_address(address)
    except ValueError:
        return address.lower()
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return str(mapped or ip)
