"""Which places a host must reach for what will come, and what it means where one is silent. Pure.

Where the inventory names a proxy, the host asks through it, as everything does later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from engine.answers import number
from engine.component import Need
from engine.proxy import Way
from engine.refusal import Finding

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, order=True)
class Place:
    """Where something can be had: for a proxy, the whole URL counts where that has no TLS."""

    host: str
    port: int
    url: str = ""  # http alone

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def places(coming: Iterable[Need]) -> dict[str, list[Place]]:
    """The places to ask for what will come: what for → places, of which one must answer."""
    return {it.what: _of(it.sources) for it in coming if it.sources}


def _of(urls: Iterable[str]) -> list[Place]:
    found = []
    for url in urls:
        parts = urlsplit(url)
        if parts.hostname:
            plain = url if parts.scheme == "http" else ""
            found.append(Place(parts.hostname, parts.port or _PORTS.get(parts.scheme, 443), plain))
    return list(dict.fromkeys(found))


def question(wanted: Mapping[str, list[Place]], way: Way) -> str:
    """What `scripts/reach.sh` reads: the proxy and who asks, then a place a line, by it or directly."""
    lines = []
    for place in sorted({it for its in wanted.values() for it in its}):
        url = place.url or f"https://{place}"
        lines.append(
            f"{place.host} {place.port} {place.url or '-'} {'proxy' if way.serves(url) else 'direct'}"
        )
    proxy = urlsplit(way.url)
    port = proxy.port or _PORTS.get(proxy.scheme, 0)
    return "\n".join([f"{proxy.hostname or '-'} {port}", way.authorization or "-", *lines]) + "\n"


def findings(wanted: Mapping[str, list[Place]], way: Way, answer: str) -> list[Finding]:
    """A finding for each thing none of whose places answers; one alone where the proxy lets nothing through.

    `answer`: what the script printed of each place that does not answer, "HOST PORT WHY". Raises ValueError
    for a line of another form.
    """
    silent = {}
    for line in filter(None, map(str.strip, answer.splitlines())):
        host, port, *why = line.split(" ", 2)
        silent[(host, number(port))] = "".join(why)
    if way.url and (finding := _of_proxy(way, silent)):
        return [finding]
    return [
        Finding(
            f"a source of {what} that answers",
            "no answer from " + ", ".join(f"{it}{_why(silent[(it.host, it.port)], way)}" for it in its),
            "check the host's network, or name a mirror that it reaches in `mirrors`"
            + ("" if way.url else "; if a proxy is the way out: `proxy`"),
        )
        for what, its in wanted.items()
        if its and all((it.host, it.port) in silent for it in its)
    ]


def _why(why: str, way: Way) -> str:
    return f" (the proxy {way.url} answers {why})" if why else ""


def _of_proxy(way: Way, silent: Mapping[tuple[str, int], str]) -> Finding | None:
    answers = set(silent.values())
    if "proxy" in answers:
        return Finding(
            f"the proxy {way.url} (proxy.url) that answers",
            "no connection from the host",
            "check its address, and that it lets this host in",
        )
    if any(it.startswith("407") for it in answers):
        found = "407: it rejects them" if way.credentials else "407: it requires a user and a password"
        return Finding(
            f"a way through the proxy {way.url}",
            found,
            "proxy.credentials: a reference to user:password, such as file:~/.config/venom/proxy",
        )
    return None
