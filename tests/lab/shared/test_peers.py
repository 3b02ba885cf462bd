"""Hosts of a fleet pass on what is large: from one to another, verified, whatever becomes of one of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import yaml

from lab import fleet
from lab.hosts import Host
from lab.upstream_pins import PINS
from tests.lab import provisioning, visitor
from tests.lab.conftest import Provision
from tests.lab.serving import Serving, of

_PEER = "/var/cache/venom-passed-on"


@dataclass(frozen=True)
class Peers:
    """`store` serves the store, `first` asks it, and `second` asks `first`."""

    store: Host
    first: Host
    second: Host

    @property
    def named(self) -> dict[str, Host]:
        """In the order of the inventory, which is that of the chain."""
        return {name: getattr(self, name) for name in ("store", "first", "second")}

    def declared(self) -> dict[str, Any]:
        """Their inventory."""
        hosts = [f"{it.address}/32" for it in self.named.values()]
        store = {"host": "store", "allow_from": hosts, "peers": True}
        return of(
            {name: (host, {}) for name, host in self.named.items()},
            defaults={**fleet.default()["defaults"], "store": store},
        )

    def wipe(self, *hosts: Host) -> None:
        """Take Ollama and its weights from hosts, and what they pass on."""
        for host in hosts:
            host.run("systemctl stop venom.target ollama venom-backend venom-ui || true")
            host.run(f"rm -rf /opt/ollama/* /var/lib/ollama/models {_PEER}/*")

    def received(self, host: Host) -> dict[str, int]:
        """The bytes that a host has got from each of the others since it was last asked."""
        done = host.run("nft --json list table ip counted", check=False)
        found = dict.fromkeys(self.named, 0)
        for it in json.loads(done.stdout)["nftables"] if done.returncode == 0 else []:
            if rule := it.get("rule"):
                counter = next(one["counter"] for one in rule["expr"] if "counter" in one)
                found[rule["comment"]] = counter["bytes"]
        host.run("nft delete table ip counted", check=False)
        rules = "\n".join(
            f'ip saddr {it.address} counter comment "{name}"' for name, it in self.named.items()
        )
        chain = f"chain got {{ type filter hook input priority -300;\n{rules}\n}}"
        host.run("nft -f -", input=f"table ip counted {{\n{chain}\n}}\n")
        return found


@pytest.fixture(scope="module")
def peers(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Peers:
    """Three hosts that serve already; the run fills the store, and finds nothing for the others to fetch."""
    found = Peers(*serving.copies("light", "light", "light"))
    path = provisioning.inventory(tmp_path_factory.mktemp("peers"), found.declared())
    provisioning.run(path).check()
    return found


def _layer() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(PINS.read_text())["weights"]["gemma3:270m"]
    return found


def _whole(host: Host) -> bool:
    """Whether the model's layer is there, and right."""
    digest = _layer()["layer"]
    line = f"sha256sum /var/lib/ollama/models/blobs/sha256-{digest} | grep -q ^{digest}"
    return host.run(line, check=False).returncode == 0


def test_a_host_gets_what_is_large_from_the_one_before_it_and_nothing_of_that_from_the_store(
    peers: Peers, provision: Provision
) -> None:
    peers.wipe(peers.first, peers.second)
    peers.received(peers.second)
    result = provision(peers.declared()).check()
    got, size = peers.received(peers.second), _layer()["bytes"]
    assert got["first"] > size, (got, result.output)
    assert got["store"] < size / 10, got
    for host in (peers.first, peers.second):
        assert _whole(host)
        # One content under two names, but for Ollama's archive.
        assert host.run(f"stat --format=%h {_PEER}/{_layer()['layer']}").stdout == "2\n"
    assert visitor.chat(peers.second, "Who passed you on?").status == "COMPLETED"
    assert provision(peers.declared()).check().changed_operations == []


def test_what_is_passed_on_is_read_only_and_for_the_fleet_alone(peers: Peers) -> None:
    url = f"http://{peers.first.address}:8800/sha256/{_layer()['layer']}"
    # The controller is not among those that may read.
    assert requests.get(url, timeout=10).status_code == 403
    ask = "curl --silent --output /dev/null --write-out '%{http_code}'"
    assert peers.second.run(f"{ask} --head {url}").stdout == "200"
    assert peers.second.run(f"{ask} -X PUT -d x {url}").stdout == "405"
    assert peers.second.run(f"{ask} {url.rpartition('/')[0]}/../../../../etc/passwd").stdout == "404"
    line = "systemd-analyze security --no-pager venom-peer.service | tail -n 1"
    security = peers.first.run(line).stdout
    assert float(security.split("level for venom-peer.service:")[1].split()[0]) < 2.5, security


def test_a_host_that_lies_costs_a_piece_and_no_byte_that_is_wrong(peers: Peers, provision: Provision) -> None:
    path = f"{_PEER}/{_layer()['layer']}"
    # Its own weights are the same file under another name: they stay right.
    peers.first.run(f"cp {path} {path}.lie && mv {path}.lie {path}")
    peers.first.run(f"printf lie | dd of={path} bs=1M seek=100 conv=notrunc status=none")
    peers.wipe(peers.second)
    peers.received(peers.second)
    provision(peers.declared()).check()
    got, size = peers.received(peers.second), _layer()["bytes"]
    assert _whole(peers.second)
    assert 90e6 < got["first"] < size, got
    assert 90e6 < got["store"] < size, got
    peers.first.run(f"ln --force /var/lib/ollama/models/blobs/sha256-{_layer()['layer']} {path}")


def test_a_host_that_falls_silent_while_it_passes_on_costs_time_only(
    peers: Peers, provision: Provision, tmp_path_factory: pytest.TempPathFactory
) -> None:
    peers.wipe(peers.second)
    peers.received(peers.second)
    peers.first.run("tc qdisc add dev host0 root tbf rate 200mbit burst 64k latency 200ms")
    path = provisioning.inventory(tmp_path_factory.mktemp("silent"), peers.declared())
    with provisioning.running(path) as run:
        some = f"find {_PEER} -name {_layer()['layer']} -size +20M"
        provisioning.until(lambda: peers.second.run(some, check=False).stdout != "")
        dropped = f'ip saddr {peers.first.address} counter drop comment "dropped"'
        # As if its power was cut, for those who ask it: the run has not to wait for its sshd.
        peers.second.run(f"nft insert rule ip counted got {dropped}")
        assert run.poll() is None
        assert run.wait(timeout=120) == 0
    got, size = peers.received(peers.second), _layer()["bytes"]
    assert _whole(peers.second)
    assert got["store"] > size / 10, got
    assert visitor.chat(peers.second, "Are you whole?").status == "COMPLETED"
    peers.first.run("tc qdisc del dev host0 root")
    assert provision(peers.declared()).check().changed_operations == []
