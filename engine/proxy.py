"""The proxy by which a host gets what it downloads: the variables that every tool there knows.

The password, if there is one, stands in one file of root's (0600) and travels on standard input: it is in no
argument and no unit. Loopback is never proxied. apt keeps a proxy of its own, where the host has one.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import quote, urlsplit

from engine import paths
from engine.env import quoted
from engine.refusal import refuse
from engine.resources import Absent, File
from engine.secrets import reveal
from schemas.model import HostPlan, Mirrors, Proxy, Store

LOOPBACK = ("localhost", "127.0.0.1", "::1")
# The variables of a process that downloads; most tools know one of the two spellings.
_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
# The variables of a server that others ask by http on loopback: Ollama's own advice.
HTTPS_ONLY = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")
BOTH = (*_NAMES, *(name.lower() for name in _NAMES))


@dataclass(frozen=True)
class Way:
    """The way out of a host: by a proxy, or, without a URL, as it stands."""

    url: str = ""
    exempt: tuple[str, ...] = ()  # hosts, domains and networks that are reached directly
    credentials: str = field(repr=False, default="")  # user:password

    @property
    def variables(self) -> Mapping[str, str]:
        """As an environment has them, the password among them; none without a proxy."""
        if not self.url:
            return {}
        scheme, _, place = self.url.partition("://")
        user, _, password = self.credentials.partition(":")
        login = f"{quote(user, safe='')}:{quote(password, safe='')}@" if self.credentials else ""
        url = f"{scheme}://{login}{place}"
        values = (url, url, ",".join((*LOOPBACK, *self.exempt)))
        return dict(zip(BOTH, (*values, *values), strict=True))

    @property
    def authorization(self) -> str:
        """The value of the header by which a proxy knows who asks; empty where it need not."""
        return f"Basic {base64.b64encode(self.credentials.encode()).decode()}" if self.credentials else ""

    @property
    def digest(self) -> str:
        """Tells two ways apart, in a unit that everybody may read: a guess at the password costs time."""
        return _digest(tuple(self.variables.items()), self.url) if self.url else ""

    def serves(self, url: str) -> bool:
        """Whether what lies at this URL is got by the proxy."""
        host = (urlsplit(url).hostname or "").lower()
        return bool(self.url) and not any(_within(host, it) for it in (*LOOPBACK, *self.exempt))


@cache
def _digest(variables: tuple[tuple[str, str], ...], salt: str) -> str:
    return hashlib.scrypt(repr(variables).encode(), salt=salt.encode(), n=1 << 14, r=8, p=1, dklen=8).hex()


def way(plan: HostPlan) -> Way:
    """How the plan's host gets what it downloads. Raises RefusedError where the secret cannot be had."""
    if plan.proxy is None:
        return Way()
    credentials = ""
    if secret := plan.proxy.credentials:
        credentials = reveal({"proxy.credentials": secret})["proxy.credentials"]
        if not all(credentials.partition(":")):
            raise refuse(
                "user:password in proxy.credentials", "text without both (not shown)", "write it anew"
            )
    return Way(plan.proxy.url, exempt(plan.proxy, plan.mirrors, plan.store), credentials)


def exempt(proxy: Proxy, mirrors: Mirrors, store: Store | None = None) -> tuple[str, ...]:
    """What is reached directly. Not every tool knows networks: a mirror in one is named by itself.

    So is the fleet's store, which is behind no proxy.
    """
    urls = (*mirrors.files, mirrors.pypi, mirrors.npm, *mirrors.images, f"//{mirrors.ollama.split('//')[-1]}")
    hosts = [host for url in urls if (host := urlsplit(url).hostname)]
    within = [host for host in hosts if any("/" in it and _within(host, it) for it in proxy.exempt)]
    own = [urlsplit(store.url).hostname or ""] if store else []
    return tuple(dict.fromkeys((*proxy.exempt, *within, *own)))


def file(way: Way) -> File | Absent:
    """The file that jobs and units read."""
    if not way.url:
        return Absent(paths.PROXY)
    lines = [f"{name}={quoted(value)}\n" for name, value in way.variables.items()]
    return File(paths.PROXY, "".join(lines), mode="0600")


def names(plan: HostPlan, known: Iterable[str]) -> tuple[str, ...]:
    """Of these variables, those that a process gets: none without a proxy."""
    return tuple(known) if plan.proxy else ()


def _within(host: str, exempt: str) -> bool:
    """Whether a host is that name, below that domain, or in that network."""
    if host == exempt or host.endswith(f".{exempt}"):
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(exempt, strict=False)
    except ValueError:
        return False
