"""Networks that an inventory lets in: in their usual form, and whether they are, in effect, the Internet."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from schemas.reading.inherit import Settings
from schemas.reading.problem import Problem

Network = IPv4Network | IPv6Network

_PRIVATE = [
    ip_network(it)
    for it in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
]
# So many public addresses are no network of anybody's: more than an IPv4 /7, or an IPv6 /16.
_INTERNET = {4: 1 << 25, 6: 1 << 112}


def networks(
    settings: Settings,
    keys: tuple[str, ...],
    problems: list[Problem],
    *,
    internet: bool = False,
    allowed: str = "networks of your own",
    hint: str = "name the networks that you mean",
) -> tuple[str, ...]:
    """The networks at `keys` in their usual form: sorted, each once, none inside another.

    `internet`: whether they may be the Internet; where not, `allowed` and `hint` tell so.
    """
    found: list[Network] = []
    for index, text in enumerate(settings.get(*keys, default=[])):
        try:
            found.append(ip_network(text))
        except ValueError:
            problems.append(settings.problem((*keys, index), f'"{text}"', "a network", _meant(text)))
    merged = _merged(found)
    if not internet and _internet(merged):
        problems.append(settings.problem(keys, f"the Internet: {', '.join(map(str, found))}", allowed, hint))
    return tuple(map(str, merged))


def _meant(text: str) -> str:
    """The remedy for what is no network: often the address of a host with the length of its network."""
    try:
        return f"did you mean {ip_network(text, strict=False)}?"
    except ValueError:
        return "write an address and a length, such as 192.168.1.0/24 or fd00:1::/64"


def _merged(networks: Iterable[Network]) -> list[Network]:
    four = [it for it in networks if isinstance(it, IPv4Network)]
    six = [it for it in networks if isinstance(it, IPv6Network)]
    return [*collapse_addresses(four), *collapse_addresses(six)]


def _internet(networks: Iterable[Network]) -> bool:
    """Whether the networks are, in effect, the Internet; written as halves of it, too."""
    public = dict.fromkeys(_INTERNET, 0)
    for it in networks:
        if not any(it.version == own.version and it.subnet_of(own) for own in _PRIVATE):  # type: ignore[arg-type]
            public[it.version] += it.num_addresses
    return any(public[version] > most for version, most in _INTERNET.items())
