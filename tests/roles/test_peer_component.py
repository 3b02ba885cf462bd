"""What a host passes on as a component: on hosts that ask a store, where the inventory says so."""

from __future__ import annotations

from engine import paths, remote
from engine.component import Component
from engine.resources import Absent, Enabled, File
from fleet.builds import Build
from fleet.components import Shares, components
from roles.door.secrets import Revealed
from roles.store.peer import UNIT, passing
from roles.store.wants import Fleet
from schemas.model import HostPlan
from schemas.plan.items import Read, items
from tests.engine.test_scripts import check
from tests.roles.plans import components_of, declared, plan

PASSES = """\
hosts:
  two:
    address: 192.0.2.2
    ollama: {version: 0.24.0}
    store: {host: one, allow_from: [192.0.2.0/24], peers: true}
    door: {exposure: lan, allow_from: [192.0.2.64/26], firewall: true}
  one: {address: 192.0.2.1}
"""
FLEET = Fleet(
    *("one", ("one", "two", "three"), lambda _: ()),
    here=True,
    feeds=True,
    peers=(("three", "http://192.0.2.3:8800"), ("two", "http://192.0.2.2:8800")),
)
LAYER = "aeda25e63ebd698fab8638ffb778e68bed908b960d39d0becc650fa981609d25"


def _shares() -> Shares:
    return Shares(FLEET, lambda: items(plan(PASSES), declared(PASSES).pins, Read()))


def _peer(of: HostPlan) -> Component:
    return next(it for it in components_of(of) if it.name == "peer")


def test_a_host_that_passes_nothing_on_has_nothing_of_it() -> None:
    peer = _peer(plan())
    folder = "/var/cache/venom-passed-on"
    gone = (f"/etc/systemd/system/{UNIT}", "/etc/venom/peer", folder)
    assert peer.prerequisites == tuple(map(Absent, gone))
    assert (peer.unit, peer.ports, peer.work) == ("", (), None)


def test_where_it_passes_on_its_nginx_reads_one_folder_for_the_fleet_alone() -> None:
    peer = _peer(plan(PASSES))
    texts = {it.path: it.content for it in peer.prerequisites if isinstance(it, File)}
    configuration = texts["/etc/venom/peer/nginx.conf"]
    assert "allow 127.0.0.1;\n        allow 192.0.2.0/24;\n        deny all;" in configuration
    assert "alias /var/cache/venom-passed-on/$1;" in configuration
    assert "DynamicUser=yes" in texts[f"/etc/systemd/system/{UNIT}"]
    assert Enabled(UNIT) in peer.prerequisites
    assert (peer.apart, peer.service, peer.resources) == (True, None, ())
    assert [(it.number, it.exposed) for it in peer.ports] == [(8800, True)]


def test_the_packet_filter_lets_the_fleet_in_to_what_is_passed_on() -> None:
    rules = next(
        it.content
        for one in components_of(plan(PASSES))
        for it in one.resources
        if isinstance(it, File) and it.path.endswith("firewall.nft")
    )
    assert "tcp dport 8800 ip saddr { 192.0.2.0/24 } accept" in rules


def test_what_is_passed_on_stays_when_a_switch_empties_the_downloads() -> None:
    assert not paths.PEER.startswith((f"{paths.CACHE}/", f"{paths.BUILD}/"))


def test_its_jobs_ask_the_hosts_before_it_and_then_the_store_for_what_is_large() -> None:
    of = plan(PASSES)
    listed = components(of, Build.unknown(of), {}, Revealed(), _shares(), gpu=False)
    scripts = {job.name: job.script for one in listed for job in one.jobs}
    for name in ("ollama", "weights"):
        assert "http://192.0.2.3:8800 http://192.0.2.1:8800 <<'PYTHON' || true" in scripts[name]
        assert check(f"{remote.script('job.sh')}\n{scripts[name]}", "bash", "SC2016") == ""
    assert f"/var/lib/ollama/models/blobs/sha256-{LAYER}" in scripts["weights"]
    # Where the job's own download goes on from.
    archive = of.ollama.artifact if of.ollama else None
    assert archive
    assert f"/var/cache/venom/{archive.filename}.{archive.sha256[:8]}.part" in scripts["ollama"]
    assert "fetch_pieces" not in scripts.get("node", "")


def test_the_host_that_serves_the_store_asks_nobody() -> None:
    served = PASSES.replace("  two:", "  one:", 1).replace("  one: {address: 192.0.2.1}\n", "")
    assert plan(served).serves_store
    assert passing(plan(served), FLEET, tuple) is None
