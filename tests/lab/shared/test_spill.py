"""A host whose card Ollama does not use: the switch is taken back, or goes on with a warning.

And one on which Ollama stops to use it: the check after the boot sees that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from lab.hosts import Host
from tests.lab import provisioning, visitor
from tests.lab.conftest import Provision
from tests.lab.provisioning import Result
from tests.lab.serving import Serving, of
from tests.lab.visitor import BACKEND, OLLAMA, UI

# No card of the lab computes: this says that there is one, and Ollama finds none.
_CARD = "#!/bin/sh\necho 'NVIDIA GeForce RTX 3060, 12288, 550.163.01, 8.6, [N/A]'\n"
# This host's Ollama says that the model lies there; without the file it says what is so.
_PLAYED = "/etc/lab-card"
_CHECK = "venom-card.service"
_CURRENT = "readlink /etc/venom/generations/current"


@dataclass(frozen=True)
class Spilled:
    """One run against hosts that have served without a card."""

    hosts: dict[str, Host]
    before: dict[str, str]  # the generation that served, by host
    result: Result


@pytest.fixture(scope="module")
def spilled(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Spilled:
    """The inventory of one of them allows a model outside VRAM, and one has what plays a card."""
    names = ("refusing", "allowing", "using")
    hosts = dict(zip(names, serving.copies("light", "light", "light"), strict=True))
    hosts["using"].put("", _PLAYED)
    for host in hosts.values():
        host.put(_CARD, "/usr/local/bin/nvidia-smi", mode="0755")
    before = {name: host.run(_CURRENT).stdout for name, host in hosts.items()}
    allow = {"allowing": {"gpu": {"spill": "allow"}}}
    declared = of({name: (host, allow.get(name, {})) for name, host in hosts.items()})
    run = provisioning.run(provisioning.inventory(tmp_path_factory.mktemp("spilled"), declared))
    return Spilled(hosts, before, run)


def test_a_switch_after_which_the_model_lies_outside_vram_is_taken_back(spilled: Spilled) -> None:
    ending = spilled.result.endings["refusing"]
    for pattern in (
        r"required  \S+ wholly in VRAM",
        r"found     [0-9.]+ GiB, 0.0 GiB of it in VRAM: processors compute the rest",
        r"gpu: \{spill: allow\}",
        "What served before serves again",
    ):
        assert re.search(pattern, ending), f"{pattern!r} is not in:\n{ending}"
    host = spilled.hosts["refusing"]
    assert host.run(_CURRENT).stdout == spilled.before["refusing"]
    for url in (f"{BACKEND}/healthz", f"{UI}/", f"{OLLAMA}/api/version"):
        assert visitor.fetch(host, url).status == 200


def test_it_goes_on_with_a_warning_where_the_inventory_allows_it(spilled: Spilled) -> None:
    assert "serves" in spilled.result.endings["allowing"], spilled.result.endings["allowing"]
    assert re.search(r"warning: \S+ is not wholly in VRAM", spilled.result.output)
    assert spilled.hosts["allowing"].run(_CURRENT).stdout != spilled.before["allowing"]


def test_a_model_that_lies_outside_vram_after_a_boot_is_seen_without_an_operator(
    spilled: Spilled, provision: Provision
) -> None:
    host = spilled.hosts["using"]
    inventory = of({"using": (host, {})})
    enabled = host.run("systemctl is-enabled venom-card.timer").stdout.strip()
    assert enabled == "enabled", spilled.result.endings["using"]
    host.run(f"systemctl start {_CHECK}")
    # What a driver that is broken since an update leaves of the card.
    host.run(f"rm {_PLAYED}; systemctl restart ollama; systemctl start venom-card.timer")
    host.run(f"until systemctl is-failed --quiet {_CHECK}; do sleep 0.2; done", timeout=60)
    journal = host.run(f"journalctl --quiet --output=cat --unit {_CHECK}").stdout
    assert re.search(r"GiB, 0.0 GiB of it in VRAM\nProcessors compute the rest", journal), journal
    status = provision(inventory, "--json", deploy="deploy/status.py")
    assert status.status == 2, status.output
    assert f'"{_CHECK}"' in status.output
    assert "processors compute the rest" in status.output
    # The next run proves again, and what it proves ends the alarm.
    host.put("", _PLAYED)
    host.run("systemctl restart ollama")
    assert ("using", "Switch") in provision(inventory).check().changed_operations
    assert provision(inventory).check().changed_operations == []
