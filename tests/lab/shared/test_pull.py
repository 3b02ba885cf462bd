"""Hosts pull their signed plans, also one that slept through two; and nothing that is old or not signed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.hosts import Host
from tests.lab import provisioning, visitor
from tests.lab.provisioning import Result
from tests.lab.serving import Serving, llm_off, of
from tests.lab.visitor import BACKEND, LIGHT
from tests.ssh_keys import write_pair

_APPLICATION = "venom_core/main.py"
_COMPONENT = '"component": "venom-core"'
_PLAN = "/var/lib/venom-store/tree/pull/awake.signed"
_UNIT = "venom-pull.service"
_EVERY = 120


@dataclass(frozen=True)
class Fleet:
    """`store` serves the store and is reached by runs; the others pull from there."""

    store: Host
    awake: Host
    sleeper: Host
    folder: Path
    key: Path

    def declared(self, **settings: Any) -> dict[str, Any]:
        """Their inventory. `settings`: of those that pull."""
        allowed = [f"{it.address}/32" for it in (self.store, self.awake, self.sleeper)]
        store = {"host": "store", "allow_from": allowed}
        signers = [self.key.with_suffix(".pub").read_text(encoding="ascii").strip()]
        pulls = {"store": store, **settings}
        # The tests say when `awake` asks; `sleeper` is on its own.
        awake, sleeper = ({"every": it, "signers": signers} for it in ("365d", "2min"))
        return of(
            {
                "store": (self.store, {**llm_off(), "store": store}),
                "awake": (self.awake, {**pulls, "pull": awake}),
                "sleeper": (self.sleeper, {**pulls, "pull": sleeper}),
            }
        )

    def run(self, *arguments: str, deploy: str, **settings: Any) -> Result:
        """Run a deploy over the host of the store alone, as if no other one could be reached."""
        path = provisioning.inventory(self.folder, self.declared(**settings))
        return provisioning.run(path, "--limit", "store", *arguments, deploy=deploy)

    def publish(self, *, key: Path | None = None, hosts: str = "awake,sleeper", **settings: Any) -> Result:
        """Publish the plans of an inventory with these settings."""
        options = [f"key={key or self.key}", f"hosts={hosts}"]
        return self.run(
            *(it for one in options for it in ("--data", one)), deploy="deploy/publish.py", **settings
        ).check()

    def venom(self, name: str, before: str, after: str) -> dict[str, Any]:
        """Settings with a Venom of one's own, which differs from the lab's in one line."""
        tree = provisioning.own_venom(self.folder / name)
        text = (tree / _APPLICATION).read_text(encoding="utf-8")
        assert before in text
        (tree / _APPLICATION).write_text(text.replace(before, after), encoding="utf-8")
        return {"venom": {"tree": str(tree)}}

    def pull(self, host: Host) -> str:
        """Let the host ask now, as its timer does: what it says of that; nothing where all went well."""
        # More often than systemd would let it; and of its own words those that are new.
        line = f"""
            printed() {{ journalctl --sync; journalctl --quiet --output=cat --identifier=venom-pull; }}
            before=$(printed | wc -l)
            systemctl reset-failed
            systemctl start {_UNIT}
            status=$?
            printed | tail -n +$((before + 1))
            exit $status
        """
        done = host.run(line, check=False)
        assert (done.returncode != 0) == bool(done.stdout), done
        return done.stdout

    def receipt(self, name: str) -> dict[str, Any]:
        """What the host reported last at the store."""
        text = self.store.run(f"cat /var/lib/venom-receipts/{name}.json", check=False).stdout
        found: dict[str, Any] = json.loads(text or "{}")
        return found


def _component(host: Host) -> str:
    return str(json.loads(visitor.fetch(host, f"{BACKEND}/healthz").body)["component"])


@pytest.fixture(scope="module")
def fleet(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """Three hosts that serve already; one run makes two of them pull from the third."""
    folder = tmp_path_factory.mktemp("pull")
    store, awake, sleeper = serving.copies("off", "light", "light")
    found = Fleet(store, awake, sleeper, folder, write_pair(folder / "key"))
    provisioning.run(provisioning.inventory(folder, found.declared())).check()
    return found


def test_a_host_pulls_its_plan_and_one_that_slept_through_two_gets_the_last(fleet: Fleet) -> None:
    fleet.sleeper.stop()
    fleet.publish(**fleet.venom("second", _COMPONENT, '"component": "second"'))
    assert fleet.pull(fleet.awake) == ""
    assert _component(fleet.awake) == "second"
    first = fleet.receipt("awake")
    assert first["result"] == "applied"
    # The same plan once more changes nothing.
    before = visitor.processes(fleet.awake, LIGHT)
    assert fleet.pull(fleet.awake) == ""
    assert visitor.processes(fleet.awake, LIGHT) == before
    signed = fleet.store.read(_PLAN)

    third = fleet.venom("third", _COMPONENT, '"component": "third"')
    fleet.publish(**third)
    assert fleet.pull(fleet.awake) == ""
    assert _component(fleet.awake) == "third"
    assert fleet.receipt("awake")["applied"] > first["applied"]
    # An older plan is refused although it is signed.
    newest = fleet.store.read(_PLAN)
    fleet.store.put(signed, _PLAN)
    assert "required  a plan that is not older than" in fleet.pull(fleet.awake)
    fleet.store.put(newest, _PLAN)

    status = fleet.run(deploy="deploy/status.py")
    assert status.status == 2, status.output
    assert "the pull of sleeper: " in status.output
    fleet.sleeper.start()
    provisioning.until(lambda: fleet.receipt("sleeper").get("result") == "applied", 120)
    assert _component(fleet.sleeper) == "third", "it never had the second"
    assert fleet.pull(fleet.awake) == ""
    status = fleet.run(deploy="deploy/status.py")
    assert status.status == 0, status.output
    assert "sleeper: plan of " in status.output

    # Longer silent than two of its periods.
    fleet.store.run(f"touch --date='-{2 * _EVERY + 60} sec' /var/lib/venom-receipts/sleeper.json")
    status = fleet.run(deploy="deploy/status.py")
    assert status.status == 2, status.output
    assert "the pull of sleeper: has not reported since" in status.output

    dying = fleet.venom(
        "dying", "    await startup.settle_model()", '    raise RuntimeError("the database is gone")'
    )
    fleet.publish(hosts="awake", **dying)
    printed = fleet.pull(fleet.awake)
    assert "RuntimeError: the database is gone" in printed
    assert "What served before serves again" in printed
    assert _component(fleet.awake) == "third"
    assert fleet.receipt("awake")["result"] == "taken back"
    # It is not tried again before another one is published.
    before = visitor.processes(fleet.awake, LIGHT)
    assert "What served before serves again" in fleet.pull(fleet.awake)
    assert visitor.processes(fleet.awake, LIGHT) == before


def test_what_nobody_signed_cut_off_or_withheld_is_refused_in_one_message_and_the_host_serves_on(
    fleet: Fleet,
) -> None:
    fleet.publish(hosts="awake")
    before, newest = visitor.processes(fleet.awake, LIGHT), fleet.store.read(_PLAN)

    def refused(text: str) -> str:
        fleet.store.put(text, _PLAN)
        printed = fleet.pull(fleet.awake)
        assert [it.split()[0] for it in printed.splitlines()[:3]] == ["required", "found", "do"], printed
        return printed

    assert "bytes without a signature" in refused(newest.partition("\n{")[2])
    assert "that one of the inventory's `pull.signers` has signed" in refused(newest[:-40])
    assert "that one of the inventory's `pull.signers` has signed" in refused(
        newest.replace('"serial": 1', '"serial": 2')
    )
    fleet.store.run(f"rm {_PLAN}")
    fleet.publish(key=write_pair(fleet.folder / "another"), hosts="awake")
    assert "has signed" in fleet.pull(fleet.awake)
    fleet.store.run(f"rm {_PLAN}")
    assert "404" in fleet.pull(fleet.awake)
    assert fleet.receipt("awake")["result"] == "refused"
    fleet.store.run("systemctl stop venom-store.service")
    assert "required  a store that answers" in fleet.pull(fleet.awake)
    fleet.store.run("systemctl start venom-store.service")
    fleet.store.put(newest, _PLAN)
    # Another run holds the host.
    fleet.awake.run("systemd-run --quiet --unit=held flock /run/venom-provisioner.lock sleep 60")
    fleet.awake.run("systemctl stop venom-ui.service")
    assert "no other run that changes this host" in fleet.pull(fleet.awake)
    fleet.awake.run("systemctl stop held.service && systemctl start venom-ui.service")
    after = visitor.processes(fleet.awake, LIGHT)
    ui = "venom-ui.service"
    assert {it: pid for it, pid in after.items() if it != ui} == {
        it: pid for it, pid in before.items() if it != ui
    }


def test_only_a_host_itself_can_leave_its_receipt_and_nothing_else_can_be_written(fleet: Fleet) -> None:
    url = f"http://{fleet.store.address}:8800"

    def put(host: Host, path: str, size: int = 10) -> str:
        line = f"head -c {size} /dev/zero | curl -sS -o /dev/null -w '%{{http_code}}' -T - {url}{path}"
        # One that is refused before all of it is sent is a failure to curl.
        return host.run(line, check=False).stdout

    assert put(fleet.sleeper, "/receipts/awake.json") == "403"
    assert put(fleet.awake, "/receipts/awake.json", 20_000) == "413"
    for path in ("/receipts/other.json", "/pull/awake.signed", "/receipts/../pull/x", "/sha256/x"):
        assert put(fleet.awake, path) == "405", path
    ask = "curl -sS -o /dev/null -w '%{http_code}'"
    assert fleet.awake.run(f"{ask} {url}/receipts/awake.json").stdout == "403"
    assert fleet.awake.run(f"{ask} -X DELETE {url}/receipts/awake.json").stdout == "405"
    assert put(fleet.awake, "/receipts/awake.json") in {"201", "204"}
