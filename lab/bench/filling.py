"""What a fleet with a store takes from elsewhere, and how fast what is large gets to all of its hosts."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import paths
from lab import fleet, network, ssh, upstream_process
from lab.bench.hosts import pyinfra
from lab.hosts import Host, all_hosts
from lab.state import machine
from lab.upstream_http import REQUEST_LOG

SIZES = (1, 4, 8)
RECEIVERS = 8
# Two cores pass on what eight of these carry; with twice as much they are the limit, not the links.
LINK_MBIT = 80
_PREFIX = "bench-"
_TABLE = "venom_bench"
# The first serves the store, and needs all that any of the others does.
_MIXED = (("light", 12), ("llm_off", 13), ("light", 13), ("llm_off", 12))


@dataclass(frozen=True)
class Fetched:
    """What one run over that many fresh hosts got from elsewhere, in bytes."""

    hosts: int
    upstream: int  # of the lab's upstream: release files and weights
    store: int  # through the lab's uplink, to the store's host: Python and npm packages, and Debian's
    others: int  # the same to all others
    seconds: float


@dataclass(frozen=True)
class Passed:
    """How long the model took to reach all hosts, links limited to the same rate."""

    way: str
    hosts: int
    seconds: float


def fetched(folder: Path, count: int, log: Callable[[str], None]) -> Fetched:
    """Provision so many fresh hosts of mixed profiles in one run, and count."""
    with _fresh(count) as hosts:
        own = {it.name: {"profile": _mixed(number)[0]} for number, it in enumerate(hosts)}
        declared = _inventory(folder, f"fetched-{count}", hosts, own)
        since = time.time()
        with _counted(hosts) as came:
            # The controller, too, knows nothing of an earlier run, such as a UI that was built.
            pyinfra(declared, env={**os.environ, "XDG_CACHE_HOME": str(folder / f"cache-{count}")})
            through = came()
        seconds = time.time() - since
        addresses = {it.address for it in hosts}
        entries = map(json.loads, REQUEST_LOG.read_text().splitlines())
        upstream = sum(it["bytes"] for it in entries if it["time"] >= since and it["client"] in addresses)
    first, *others = (through[it.address] for it in hosts)
    result = Fetched(count, upstream, first, sum(others), seconds)
    log(str(result))
    return result


def passed(folder: Path, count: int, log: Callable[[str], None]) -> list[Passed]:
    """One host alone, so many that pass on, and those of a plain store: each gets a model that it lost."""
    with _fresh(1) as (original,):
        pyinfra(_inventory(folder, "original", [original], {}))
        original.stop()
        receivers = [original.clone(f"{_PREFIX}{number}") for number in range(2, count + 2)]
        original.start()
        hosts = [original, *receivers]
        for host in hosts:
            _limit(host)
        peers, plain = (_inventory(folder, it, hosts, {}, peers=it == "peers") for it in ("peers", "plain"))
        taken = []
        for way, declared, some in (
            ("alone", peers, receivers[:1]),
            ("peers", peers, receivers),
            ("plain", plain, receivers),
        ):
            if way != "peers":
                # What passes on, or no more does, is not what is measured.
                pyinfra(declared)
            for host in some:
                host.run(f"systemctl stop ollama; rm -rf {paths.MODELS} {paths.PEER}/*")
            only = ["--limit", some[0].name] if way == "alone" else []
            before = {it.name: _sent(it) for it in hosts}
            pyinfra(declared, "deploy/venom.py", None, *only)
            steps = {it.name: _steps(it) for it in some}
            begun = min(it[0][0] for it in steps.values())
            for name, taking in steps.items():
                log(f"{way}: {name} " + ", ".join(f"{at - begun:.1f} {step}" for at, step in taking))
            sent = ", ".join(f"{it.name} {(_sent(it) - before[it.name]) / 1e6:.0f}" for it in hosts)
            log(f"{way}: MB sent by {sent}")
            taken.append(Passed(way, len(some), max(it[-1][0] for it in steps.values()) - begun))
            log(str(taken[-1]))
    return taken


def _steps(host: Host) -> list[tuple[float, str]]:
    """The steps of its job of weights: when each began (all hosts have one clock), and its name."""
    lines = (it.partition(" ") for it in host.read(f"{paths.JOBS}/weights/steps").splitlines())
    return [(float(at), step) for at, _, step in lines]


def _sent(host: Host) -> int:
    """Bytes that have left the host since it booted."""
    return int(Path(f"/sys/class/net/vb-{host.name}/statistics/rx_bytes").read_text(encoding="ascii"))


def _inventory(
    folder: Path,
    name: str,
    hosts: Sequence[Host],
    own: Mapping[str, Mapping[str, Any]],
    *,
    peers: bool = False,
) -> Path:
    declared = fleet.default()
    networks = [f"{it.address}/32" for it in hosts]
    store = {"host": hosts[0].name, "allow_from": networks, **({"peers": True} if peers else {})}
    listed = {it.name: {"address": it.address, **own.get(it.name, {})} for it in hosts}
    return fleet.write(
        {**declared, "defaults": {**declared["defaults"], "store": store}, "hosts": listed},
        folder / f"{name}.py",
    )


def _mixed(number: int) -> tuple[str, int]:
    return _MIXED[number % len(_MIXED)]


@contextmanager
def _fresh(count: int) -> Iterator[list[Host]]:
    upstream_process.ensure()
    try:
        yield [Host.create(f"{_PREFIX}{number + 1}", _mixed(number)[1]) for number in range(count)]
    finally:
        for host in all_hosts():
            if host.name.startswith(_PREFIX):
                host.destroy()
                ssh.forget(host.name)


@contextmanager
def _counted(hosts: Sequence[Host]) -> Iterator[Callable[[], dict[str, int]]]:
    """Count what comes to hosts from beyond the bridge, in bytes by address."""
    rules = "\n".join(
        f'ip saddr != {network.SUBNET} ip daddr {it.address} counter comment "{it.address}"' for it in hosts
    )
    chain = f"chain forward {{ type filter hook forward priority -10;\n{rules}\n}}"
    machine(["nft", "-f", "-"], input=f"table ip {_TABLE} {{\n{chain}\n}}\n")

    def came() -> dict[str, int]:
        listed = json.loads(machine(["nft", "--json", "list", "table", "ip", _TABLE]))["nftables"]
        rules = [it["rule"] for it in listed if "rule" in it]
        return {
            it["comment"]: next(one["counter"]["bytes"] for one in it["expr"] if "counter" in one)
            for it in rules
        }

    try:
        yield came
    finally:
        machine(["nft", "delete", "table", "ip", _TABLE])


def _limit(host: Host) -> None:
    """Give a host a link of so many Mbit/s each way: what leaves it, and what leaves the bridge to it."""
    shape = f"root tbf rate {LINK_MBIT}mbit burst 256k latency 100ms"
    host.run(f"tc qdisc replace dev host0 {shape}")
    machine(["tc", "qdisc", "replace", "dev", f"vb-{host.name}", *shape.split()])
