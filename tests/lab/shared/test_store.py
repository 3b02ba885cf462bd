"""One host fetches for a fleet, and the others from it: each byte comes from upstream once, verified."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from lab import fleet, network
from lab.hosts import Host
from lab.upstream_http import REQUEST_LOG
from lab.upstream_pins import PINS
from tests.lab import provisioning, upstream_faults, visitor
from tests.lab.conftest import LabHost, Provision
from tests.lab.provisioning import Result
from tests.lab.serving import Originals, of

_OLD, _NEW = "0.24.0", "0.32.15"
_RELEASES = "github.com/ollama/ollama/releases/download"
_NEW_FILE = f"files/{_RELEASES}/v{_NEW}/ollama-linux-amd64.tar.zst"
_JOB = "venom-job-store.service"


@dataclass(frozen=True)
class Fleet:
    """Two hosts: `one` serves the store, `two` asks it; and the run that made them so."""

    one: Host
    two: Host
    first: Result
    requests: list[Mapping[str, Any]]  # that upstream answered meanwhile

    def declared(self, **two: Any) -> dict[str, Any]:
        """The inventory. `two`: further settings of that host."""
        return _declared(self.one, self.two, **two)

    def status(self, face: str) -> int:
        """What the store answers to its own host for a path."""
        line = f"curl --silent --output /dev/null --write-out '%{{http_code}}' 127.0.0.1:8800/{face}"
        return int(self.one.run(line).stdout)


@pytest.fixture(scope="module")
def pair(module_host: LabHost, originals: Originals, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Two fresh hosts, provisioned by one run; the controller keeps a UI, so none is built.

    The second one reaches the lab alone: its Debian packages can only come from the first.
    """
    one, two = module_host(12), module_host(13)
    since = time.time()
    path = provisioning.inventory(tmp_path_factory.mktemp("store"), _declared(one, two, internet=False))
    network.set_airgapped(two.address, True)
    try:
        first = provisioning.run(path).check()
    finally:
        network.set_airgapped(two.address, False)
    return Fleet(one, two, first, _requests(since, one, two))


def test_both_hosts_serve_and_only_the_stores_host_has_asked_upstream(pair: Fleet) -> None:
    for host in (pair.one, pair.two):
        assert visitor.fetch(host, f"{visitor.BACKEND}/healthz").status == 200
        assert visitor.chat(host, "Who fetched you?").status == "COMPLETED"
    clients = {it["client"] for it in pair.requests}
    assert clients == {pair.one.address}, [it for it in pair.requests if it["client"] == pair.two.address]


def test_upstream_sends_each_byte_once_for_two_hosts(pair: Fleet) -> None:
    sent: dict[str, list[int]] = {}
    for it in pair.requests:
        if it["method"] == "GET" and it["bytes"]:
            sent.setdefault(it["path"], []).append(it["bytes"])
    assert {path: sizes for path, sizes in sent.items() if len(sizes) > 1} == {}
    blobs = sum(sizes[0] for path, sizes in sent.items() if "/blobs/" in path)
    assert blobs > 200e6, "the weights are among them"


def test_a_bare_host_gets_debians_packages_from_the_store_alone_and_keeps_its_own_sources(
    pair: Fleet,
) -> None:
    assert "Status: install ok installed" in pair.two.run("dpkg --status nginx").stdout
    assert "debian nginx" in pair.two.run(f"curl --silent {pair.one.address}:8800/held.txt").stdout
    sources = pair.two.run("cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null", check=False)
    assert pair.one.address not in sources.stdout
    # What the store has is what Debian signed: the apt of a host accepts it, and no key of ours is there.
    signed = pair.one.run(
        "gpgv --keyring /usr/share/keyrings/debian-archive-keyring.gpg"
        " /var/lib/venom-store/tree/debian/dists/trixie/InRelease 2>&1"
    )
    assert "Good signature" in signed.stdout


def test_another_run_changes_nothing_and_asks_upstream_for_nothing(pair: Fleet, provision: Provision) -> None:
    since = time.time()
    again = provision(pair.declared(internet=False)).check()
    assert again.changed_operations == []
    # A way out is another plan, for which nothing has to be made.
    opened = provision(pair.declared()).check()
    assert [name for _, name in opened.changed_operations] == ["Lock", "Switch", "Unlock"]
    assert _requests(since, pair.one, pair.two) == []


def test_the_store_is_read_only_and_answers_nobody_else(pair: Fleet) -> None:
    # The controller is the bridge's own address, which is not among those that may read.
    url = f"http://{pair.one.address}:8800/held.txt"
    assert requests.get(url, timeout=10).status_code == 403
    answer = pair.two.run(f"curl --silent --output /dev/null --write-out '%{{http_code}}' -X PUT -d x {url}")
    assert answer.stdout == "405"
    assert pair.two.run(f"curl --silent --fail {url}").stdout.count("\n") > 20
    # By number: a minimal Debian has no names for users that exist only while their service runs.
    main = pair.one.run("systemctl show --property MainPID --value venom-store.service").stdout.strip()
    serving = set(pair.one.run(f"ps -o uid= --pid {main} --ppid {main}").stdout.split())
    owner = pair.one.run("stat --format=%u /var/lib/venom-store/tree").stdout.strip()
    assert len(serving) == 1
    assert serving.isdisjoint({"0", owner}), "who serves cannot write what is served"
    security = pair.one.run("systemd-analyze security --no-pager venom-store.service | tail -n 1").stdout
    assert float(security.split("level for venom-store.service:")[1].split()[0]) < 2.5, security


def test_every_content_that_is_served_has_the_digest_of_its_name(pair: Fleet) -> None:
    line = "cd /var/lib/venom-store/tree/sha256 && sha256sum * | awk '$1 != $2'"
    assert pair.one.run(line).stdout == ""
    assert pair.one.run("find /var/lib/venom-store/incoming -type f").stdout == ""


def test_a_host_without_the_internet_gets_all_that_it_lacks_from_the_store(
    pair: Fleet, provision: Provision
) -> None:
    pair.two.run("systemctl stop venom.target ollama venom-backend venom-ui || true")
    pair.two.run("rm -rf /opt/venom/venvs/* /opt/venom/python/* /opt/venom/node/* /opt/ollama/*")
    pair.two.run("rm -rf /var/lib/ollama/models")
    since = time.time()
    network.set_airgapped(pair.two.address, True)
    try:
        result = provision(pair.declared(internet=False))
        assert result.status == 0, result.endings["two"]
    finally:
        network.set_airgapped(pair.two.address, False)
    assert visitor.chat(pair.two, "Still here?").status == "COMPLETED"
    assert _requests(since, pair.two) == []


def test_what_the_store_lacks_is_named_before_the_first_change_of_a_host_without_the_internet(
    pair: Fleet, provision: Provision
) -> None:
    before = visitor.files(pair.two, "/opt", "/etc/venom")
    declared = pair.declared(internet=False, ollama={"version": _NEW})
    result = provision(declared, "--limit", "two")
    assert result.status != 0
    assert f"found     not there: ollama {_NEW}" in result.endings["two"], result.endings["two"]
    assert result.failed_operations == [("two", "Refused before the first change")]
    assert visitor.files(pair.two, "/opt", "/etc/venom") == before


def test_what_comes_corrupt_is_never_served_and_told_by_its_name(pair: Fleet, provision: Provision) -> None:
    with upstream_faults.faults() as faults:
        faults.add(pair.one, "wrong", f"v{_NEW}/ollama-linux-amd64")
        result = provision(pair.declared(ollama={"version": _NEW}))
    assert result.status != 0
    digest = yaml.safe_load(PINS.read_text())["artifacts"]["ollama"][_NEW]["amd64"]["sha256"]
    assert f"found     not had: ollama {_NEW}" in result.endings["one"], result.endings["one"]
    assert pair.status(_NEW_FILE) == 404
    assert pair.status(f"sha256/{digest}") == 404
    # Upstream is the second place of the other host, and right for that.
    assert "serves" in result.endings["two"], result.endings["two"]
    assert visitor.fetch(pair.two, f"{visitor.OLLAMA}/api/version").json()["version"] == _NEW
    # The next run goes on.
    assert provision(pair.declared(ollama={"version": _NEW})).status == 0
    assert pair.status(_NEW_FILE) == 200


def test_a_fill_that_is_killed_leaves_nothing_served_and_is_taken_up(
    pair: Fleet, provision: Provision, tmp_path: Path
) -> None:
    pins = yaml.safe_load(PINS.read_text())["weights"]["gemma3:270m"]
    content = f"/var/lib/venom-store/tree/sha256/{pins['layer']}"
    blob = f"v2/library/gemma3/blobs/sha256:{pins['layer']}"
    pair.one.run(f"rm {content}")
    since = time.time()
    with upstream_faults.faults() as faults:
        faults.add(pair.one, "slow", pins["layer"])
        path = provisioning.inventory(tmp_path, pair.declared(ollama={"version": _NEW}))
        with provisioning.running(path) as run:
            part = "find /var/lib/venom-store/incoming -type f -size +4M"
            provisioning.until(lambda: pair.one.run(part).stdout != "")
            pair.one.run(f"systemctl kill --signal=KILL {_JOB}")
            assert run.wait(timeout=120) != 0
        assert (
            "found     somebody or something killed it. Its last lines:" in path.with_name("log").read_text()
        )
    assert pair.one.run(part).stdout != "", "what came is kept"
    assert pair.status(blob) == 404
    assert provision(pair.declared(ollama={"version": _NEW})).status == 0
    assert pair.status(blob) == 200
    assert pair.one.run(f"sha256sum {content}").stdout.split()[0] == pins["layer"]
    sent = sum(it["bytes"] for it in _requests(since, pair.one) if pins["layer"] in it["path"])
    assert sent < pins["bytes"] * 1.1, "it was resumed, not begun anew"


def test_purge_frees_what_nobody_needs_and_nothing_else(pair: Fleet, provision: Provision) -> None:
    assert provision(pair.declared()).status == 0
    assert pair.status(_NEW_FILE) == 200, "what was needed stays, until it is purged"
    purged = provision(pair.declared(), "--data", "purge=yes").check()
    assert ("one", "Store | purge") in purged.changed_operations
    assert pair.status(_NEW_FILE) == 404
    assert pair.status(f"files/{_RELEASES}/v{_OLD}/ollama-linux-amd64.tar.zst") == 200
    since = time.time()
    assert provision(pair.declared()).check().changed_operations == []
    assert _requests(since, pair.one, pair.two) == []


def test_an_inventory_without_a_store_ends_it_and_removal_keeps_what_it_holds_until_it_is_purged(
    pair: Fleet, provision: Provision
) -> None:
    declared = of({"one": (pair.one, {}), "two": (pair.two, {})})
    provision(declared).check()
    assert pair.one.run("systemctl is-active venom-store.service", check=False).stdout.strip() != "active"
    assert ":8800" not in " ".join(visitor.listening(pair.one))
    assert pair.one.run("ls /var/lib/venom-store/tree/sha256 | wc -l").stdout.strip() != "0"
    removed = provision(pair.declared(), "--limit", "one", deploy="deploy/remove.py").check()
    assert "/var/lib/venom-store (what the fleet fetches" in removed.endings["one"]
    provision(pair.declared(), "--limit", "one", "--data", "purge=yes", deploy="deploy/remove.py").check()
    assert pair.one.run("ls /var/lib/venom-store", check=False).returncode != 0
    assert pair.one.run("id venom-store", check=False).returncode != 0


def _declared(one: Host, two: Host, **settings: Any) -> dict[str, Any]:
    store = {"host": "one", "allow_from": [f"{two.address}/32"]}
    defaults = {**fleet.default()["defaults"], "store": store}
    return of({"one": (one, {}), "two": (two, settings)}, defaults=defaults)


def _requests(since: float, *hosts: Host) -> list[Mapping[str, Any]]:
    """What upstream was asked for by these hosts since a time."""
    addresses = {host.address for host in hosts}
    entries = [json.loads(line) for line in REQUEST_LOG.read_text().splitlines()]
    return [it for it in entries if it["time"] >= since and it["client"] in addresses]
