"""A run with nothing to do, for a fleet of which some cannot be reached or are refused."""

from __future__ import annotations

from lab import network
from tests.lab import visitor
from tests.lab.conftest import Provision
from tests.lab.serving import BARE, MANAGED, Serving, of


def test_hosts_that_are_as_declared_are_left_alone_whatever_is_wrong_with_others(
    serving: Serving, provision: Provision
) -> None:
    declared = serving.inventory()
    declared["hosts"] |= of({"taken": (serving.taken, {})})["hosts"]
    declared["hosts"]["nobody"] = {"address": str(network.SUBNET[251])}
    serves = (serving.light, serving.off)
    before = [visitor.files(host, *MANAGED) for host in serves]
    result = provision(declared)
    assert result.status == 1
    for name in ("light", "off"):
        headline, opening, *others = result.endings[name].splitlines()
        assert headline.startswith("nothing changed: serves Venom from ")
        assert opening.startswith("open http")
        assert others == []
    assert result.endings["taken"].startswith("failed at: Refused before the first change\n")
    assert "required  port 8000 free for backend" in result.endings["taken"]
    assert result.endings["nobody"].startswith("was not reached")
    assert result.changed_operations == []
    assert result.failed_operations == [("taken", "Refused before the first change")]
    assert "Traceback" not in result.output
    # Even what a write would leave as it was: the times at which files were changed.
    assert [visitor.files(host, *MANAGED) for host in serves] == before
    assert visitor.files(serving.taken, *BARE) == serving.taken_before
