"""The house takes another service: its own folder and one line, and everything that a run does knows it.

A toy of a service is added to a copy of the product: a page that a job makes and Python's own server shows.
Nothing else of the copy is touched; docs/design.md promises that this is enough.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.hosts import Host
from lab.state import REPOSITORY
from roles.verification import acceptance
from tests.lab import provisioning, visitor
from tests.lab.provisioning import Result
from tests.lab.serving import Serving, llm_off, of

PRODUCT = ("audit", "deploy", "engine", "fleet", "roles", "schemas")
UNIT, STORE, PORT = "venom-toy.service", "/opt/venom/toys", 8099
PAGE = f"http://127.0.0.1:{PORT}/page"

ROLE = """\
'''A toy: a page that a job makes, and a server that shows it.'''

from engine import paths
from engine.component import Component, Port
from engine.jobs import Job
from engine.resources import Directory, Enabled, File
from engine.services import Service, fingerprint
from engine.templates import render

VERSION = "1"
UNIT, STORE = "venom-toy.service", "/opt/venom/toys"
PORT = 8099
MAKE = '''
step make
mkdir -p {place}.part
echo toy {version} >{place}.part/page
mv -T {place}.part {place}
'''


def component() -> Component:
    place = f"{STORE}/{VERSION}"
    script = MAKE.format(place=place, version=VERSION)
    job = Job(name="toy", title="Toy", key=VERSION, makes=place, script=script)
    mark = fingerprint({"unit": _text(place, "")})
    return Component(
        name="toy",
        prerequisites=(Directory(STORE),),
        resources=(File(f"{paths.UNITS}/{UNIT}", _text(place, mark)), Enabled(UNIT)),
        jobs=(job,),
        service=Service(UNIT, "Toy", mark, f"http://127.0.0.1:{PORT}/page", ready_timeout=20),
        unit=UNIT,
        ports=(Port(PORT, "toy"),),
        store_paths=(place,),
        versions={"Toy": ("cat", f"{place}/page")},
        sizes={"toy": place},
    )


def _text(place: str, mark: str) -> str:
    return render(__file__, "toy.service.j2", place=place, port=PORT, fingerprint=mark)
"""
TEMPLATE = """\
# Managed by the Venom provisioner: what is changed here is changed back. Write a drop-in instead.
[Unit]
Description=A toy
PartOf=venom.target
Before=venom-backend.service

[Service]
DynamicUser=yes
Environment=VENOM_FINGERPRINT={{ fingerprint }}
ExecStart=/usr/bin/python3 -m http.server --bind 127.0.0.1 --directory {{ place }} {{ port }}

[Install]
WantedBy=venom.target
"""
LISTED = ("        door.component(", "        toy.component(),\n        door.component(")
IMPORTED = ("from roles.weights import deploy as weights", "from roles.toy import deploy as toy\n")


@dataclass(frozen=True)
class House:
    """A copy of the product that has a toy, and the host that it is for."""

    folder: Path
    host: Host

    def run(self, *arguments: str, deploy: str = "deploy/venom.py") -> Result:
        declared = of(
            {
                "off": (
                    self.host,
                    {
                        **llm_off(),
                        "door": {"exposure": "lan", "allow_from": ["10.77.0.0/24"], "firewall": True},
                    },
                )
            }
        )
        path = provisioning.inventory(self.folder, declared)
        return provisioning.run(path, *arguments, deploy=deploy, house=self.folder)

    def change(self, before: str, after: str, file: str = "roles/toy/deploy.py") -> None:
        text = (self.folder / file).read_text(encoding="utf-8")
        assert before in text
        (self.folder / file).write_text(text.replace(before, after, 1), encoding="utf-8")

    @property
    def page(self) -> str:
        return visitor.fetch(self.host, PAGE).body.strip()


@pytest.fixture(scope="module")
def house(serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> House:
    """The product with its own folder for the toy, and one line with its import."""
    folder = tmp_path_factory.mktemp("house")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in PRODUCT:
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    shutil.copy(REPOSITORY / "config.py", folder)
    (folder / "roles/toy/templates").mkdir(parents=True)
    (folder / "roles/toy/__init__.py").touch()
    (folder / "roles/toy/deploy.py").write_text(ROLE, encoding="utf-8")
    (folder / "roles/toy/templates/toy.service.j2").write_text(TEMPLATE, encoding="utf-8")
    made = House(folder, serving.off)
    made.change(*LISTED, file="fleet/components.py")
    made.change(IMPORTED[0], IMPORTED[1] + IMPORTED[0], file="fleet/components.py")
    return made


def test_it_is_installed_beside_the_others_which_go_on(house: House) -> None:
    serving = visitor.processes(house.host, visitor.LLM_OFF)
    run = house.run().check()
    assert "Toy" in run.endings["off"]
    assert house.page == "toy 1"
    assert visitor.processes(house.host, visitor.LLM_OFF) == serving
    generation = json.loads(house.host.run("cat /etc/venom/generations/current").stdout)
    units = [it["unit"] for it in generation["services"]]
    assert units.index("venom-ui.service") < units.index(UNIT) < units.index("nginx.service")
    after = house.host.run("systemctl show --property After --value venom-backend.service").stdout
    assert UNIT in after.split()
    assert house.run().check().changed_operations == []


def test_status_acceptance_and_packet_filter_know_it(house: House) -> None:
    status = house.run("--json", deploy="deploy/status.py").check().output
    document, _ = json.JSONDecoder().raw_decode(status[status.index("{") :])
    services = document["hosts"]["off"]["services"]
    assert [it["health"] for it in services if it["unit"] == UNIT] == ["serves"]
    assert document["hosts"]["off"]["versions"]["toy"] == "1"

    accepted = house.run(deploy="deploy/verify.py").check().output
    [line] = [line for line in accepted.splitlines() if line.startswith("report ")]
    host = acceptance.read(house.folder / line.split()[-1]).hosts[0]
    checks = {it.name: it for it in host.checks}
    assert checks["units.venom-toy"].result == checks["health.venom-toy"].result == "passed"
    assert f"toy ({PORT})" in checks["outside.closed"].found
    assert {"toy_memory_mib", "toy_mib"} <= set(host.metrics)

    assert str(PORT) in house.host.run("nft list table inet venom").stdout
    house.host.run(f"systemctl stop {UNIT}")
    drifted = house.run("--json", deploy="deploy/status.py")
    assert drifted.status == 2
    assert f'"thing": "{UNIT}"' in drifted.output
    house.run().check()


def test_one_that_does_not_serve_is_taken_back_and_one_can_go_back(house: House) -> None:
    house.change('VERSION = "1"', 'VERSION = "2"')
    house.change("--directory {{ place }}", "--directory /nonexistent", "roles/toy/templates/toy.service.j2")
    broken = house.run()
    assert broken.status == 1
    assert "Toy (venom-toy.service) does not serve" in broken.endings["off"]
    assert "What served before serves again" in broken.endings["off"]
    assert house.page == "toy 1"
    house.change("--directory /nonexistent", "--directory {{ place }}", "roles/toy/templates/toy.service.j2")
    house.run().check()
    assert house.page == "toy 2"
    house.run(deploy="deploy/rollback.py").check()
    assert house.page == "toy 1"


def test_a_port_that_somebody_else_has_is_refused_before_the_first_change(house: House) -> None:
    house.change("PORT = 8099", "PORT = 22")
    refused = house.run()
    assert refused.status == 1
    assert "port 22 free for toy" in refused.endings["off"]
    house.change("PORT = 22", "PORT = 8099")


def test_it_is_removed_with_all_that_it_brought(house: House) -> None:
    house.run("--data", "purge=yes", deploy="deploy/remove.py").check()
    assert visitor.fetch(house.host, PAGE).status == 0
    assert house.host.run(f"ls -d {STORE} /etc/systemd/system/{UNIT}", check=False).stdout == ""
