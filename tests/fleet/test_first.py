"""Whoever feeds a fleet is ready before the others install anything, whatever each of them has to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fleet.fake_hosts import run, steps

INVENTORY = """
hosts = [(f"@fake/{name}", {"fake_delay": 0.01}) for name in ("two", "one", "three")]
"""
# The order of deploy/venom.py.
DEPLOY = """
import os
from pyinfra.context import host
from pyinfra.operations import server
from engine.component import Component, carry_out, feed

class Work:
    def __init__(self, name):
        self.name = name
    def begin(self):
        server.shell(name=self.name, commands=["true"])
    def end(self):
        pass
    share = begin

def install(packages):
    for name in packages:
        server.shell(name=f"Install {name}", commands=["true"])

components = (Component("store", feeds=True), Component("node"))
works = {"store": Work("Fill"), "node": Work("Fetch")}
first = host.name == "@fake/one"
if first and os.environ["IN_SYNC"]:
    works["store"].share()
else:
    packages = ["nginx", "git"] if first else ["zstd"]
    if first:
        install(packages)
    feed(works, components)
    if not first:
        install(packages)
    carry_out(works, components)
"""


@pytest.mark.parametrize("in_sync", ["", "yes"], ids=["a bare store", "a store that is ready"])
def test_the_stores_host_is_ready_and_full_before_the_others_install_and_fetch(
    in_sync: str, tmp_path: Path
) -> None:
    done = run(tmp_path, INVENTORY, DEPLOY, IN_SYNC=in_sync)
    assert done.returncode == 0, done.stdout
    found = steps(done.stdout)
    last = max(at for at, it in enumerate(found) if it == ("Fill", "one"))
    others = [at for at, (it, host) in enumerate(found) if host != "one" and it != "Fill"]
    assert len(others) == 4
    assert last < min(others), found
    before = [it for it, host in found[:last] if host == "one"]
    assert before == ([] if in_sync else ["Install nginx", "Install git"])
    assert {it for it, host in found if host == "two"} == {"Fill", "Install zstd", "Fetch"}
