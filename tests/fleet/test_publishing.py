"""What is published for hosts that pull: their own inventory, this provisioner, and no secret."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet.publishing import house
from fleet.publishing.publication import sign
from fleet.publishing.reduced import reduced, unfit
from roles.pull.scripts import form
from schemas.inventory import DeclaredHost, Inventory, load
from schemas.plan.host import assumed_hardware, plan_host
from schemas.plan.show import to_dict
from tests.ssh_keys import pair

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGvF"
OFFICE = f"""\
pins: [more.yaml]
rollout: {{canary: store, pause: 20}}
defaults:
  ssh: {{user: ada, key: id}}
  ca_bundle: ca.pem
  venom: {{tree: venom}}
  store: {{host: store, allow_from: [192.0.2.0/24], peers: true}}
  pull: {{every: 30min, signers: ["{KEY} ada@desk"]}}
  secrets: {{OPENAI_API_KEY: "file:key"}}
groups:
  desks: {{profile: llm_off, ports: {{backend: 8100}}}}
hosts:
  store: {{address: 192.0.2.1}}
  box: {{address: 192.0.2.10, groups: [desks]}}
"""


@pytest.fixture
def office(tmp_path: Path) -> Inventory:
    """An inventory that refers to whatever an inventory can refer to on this machine."""
    folder = tmp_path / "office"
    (folder / "venom" / "venom_core").mkdir(parents=True)
    (folder / "venom" / "venom_core" / "main.py").write_text("")
    (folder / "more.yaml").write_text("weights: {}\n")
    (folder / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    private, _ = pair()
    for name, content in {"id": private, "key": b"sk-never-published"}.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    (folder / "office.yaml").write_text(OFFICE)
    return load(folder / "office.yaml")


def _on_the_host(files: Any, folder: Path) -> Inventory:
    """The inventory as the host reads it."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "inventories" / "venom").mkdir()
    return load(folder / "inventories" / "fleet.yaml")


def _plan(host: DeclaredHost) -> dict[str, Any]:
    return to_dict(plan_host(host, assumed_hardware(host)))


def test_the_host_reads_of_its_inventory_what_a_run_would(office: Inventory, tmp_path: Path) -> None:
    box = office.host("box")
    own = _on_the_host(reduced(box), tmp_path / "house")
    assert [it.name for it in own.hosts] == ["box"]
    (there,) = own.hosts
    by_run, by_itself = _plan(box), _plan(there)
    for plan in (by_run, by_itself):
        # Where the tree and the certificates lie is another place there, and their contents are the same.
        plan["source"].pop("location")
        plan.pop("ca_bundle")
    assert by_itself == by_run
    assert there.rollout
    assert there.rollout.pause == 20, "the same gate"
    assert there.ssh == replace(box.ssh, key=None, user=None, sudo=None)


def test_no_secret_and_no_key_is_published_but_only_where_the_host_has_it(office: Inventory) -> None:
    box = office.host("box")
    files = reduced(box)
    assert b"sk-never-published" not in b"".join(files.values())
    assert b"PRIVATE KEY" not in b"".join(files.values())
    document = yaml.safe_load(files["inventories/fleet.yaml"])
    assert document["hosts"]["box"]["secrets"] == {"OPENAI_API_KEY": f"file:{office.path.parent / 'key'}"}
    assert list(unfit(box)) == []


def test_a_secret_that_only_this_machine_knows_is_refused_by_name(
    office: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI", "sk-never-published")
    path = office.path
    path.write_text(OFFICE.replace("file:key", "env:OPENAI"))
    (finding,) = unfit(load(path).host("box"))
    assert str(finding).splitlines() == [
        "required  box: secrets.OPENAI_API_KEY as file:PATH, which the host itself can read",
        "found     env: is known to this machine only, and no secret is published",
        "do        put the secret into a file of the host that only root can read, and name that",
    ]


def test_hosts_that_pull_pass_nothing_on_and_the_stores_own_host_pulls_nothing(office: Inventory) -> None:
    box, store = office.host("box"), office.host("store")
    assert (box.peer, store.pull) == (None, None)
    assert store.serves_store
    assert [(it.name, it.address, it.every) for it in store.serves_store.pullers] == [
        ("box", "192.0.2.10", 1800)
    ]


def test_this_provisioner_runs_from_what_is_published_with_nothing_else(
    office: Inventory, tmp_path: Path
) -> None:
    folders = {"house": house.house(), "environment": house.environment()}
    for name, content in folders.items():
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(content))) as tar:
            tar.extractall(tmp_path / name, filter="data")
    _on_the_host(reduced(office.host("box")), tmp_path / "house")
    done = subprocess.run(
        [sys.executable, "-S", "-s", "-m", "pyinfra", "inventories/fleet.py", "debug-inventory"],
        cwd=tmp_path / "house",
        env={
            "PYTHONPATH": f"{tmp_path / 'house'}:{tmp_path / 'environment'}",
            "HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "[@local]" in done.stdout + done.stderr
    assert '"profile": "llm_off"' in done.stdout + done.stderr


def test_the_same_files_make_the_same_archive() -> None:
    files = {"b": b"2", "a": b"1"}
    assert house.archive(files) == house.archive(dict(reversed(files.items())))


def test_a_plan_is_published_with_its_signature_in_front(tmp_path: Path) -> None:
    private, public = pair()
    (tmp_path / "key").write_bytes(private)
    (tmp_path / "key").chmod(0o600)
    signature, end, text = sign({"host": "box", "serial": 1}, tmp_path / "key").partition(form.END)
    assert json.loads(text) == {"host": "box", "serial": 1}
    (tmp_path / "signature").write_text(signature + end)
    (tmp_path / "allowed").write_bytes(b"venom " + public)
    line = ["ssh-keygen", "-Y", "verify", "-f", str(tmp_path / "allowed"), "-I", "venom"]
    line += ["-n", form.NAMESPACE, "-s", str(tmp_path / "signature")]
    subprocess.run(line, input=text.encode(), check=True, capture_output=True)
