"""What is wrong with a request for a bundle is reported before anything is fetched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pyinfra.api.exceptions import DeployError

from engine.options import read
from engine.refusal import RefusedError
from fleet.bundle.bundling import Bundling, plan_bundling
from fleet.bundle.manifest import Inventory
from fleet.verbs import VERBS
from tests.fleet.bundle.conftest import Making, Signer
from tests.ssh_keys import pair

ROOT = Path(__file__).parents[3]
INVENTORY = "hosts:\n  box:\n    address: 192.0.2.10\n"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def options(tmp_path: Path, ada: Signer) -> dict[str, str]:
    """The options that must be given."""
    inventory = tmp_path / "office.yaml"
    inventory.write_text(INVENTORY, encoding="utf-8")
    return {"inventory": str(inventory), "to": str(tmp_path / "bundle"), "key": str(ada.key)}


def _plan(options: dict[str, str]) -> Bundling:
    return plan_bundling(read(VERBS["deploy/bundle.py"], [f"{name}={it}" for name, it in options.items()]))


def _refusal(options: dict[str, str]) -> str:
    with pytest.raises(RefusedError) as caught:
        _plan(options)
    return str(caught.value)


def test_whatever_is_missing_is_reported_at_once(options: dict[str, str]) -> None:
    message = _refusal({"part_mib": "many"})
    assert [line for line in message.splitlines() if line.startswith("required")] == [
        "required  --data inventory=FILE",
        "required  --data to=FOLDER",
        "required  --data key=FILE",
        "required  part_mib=NUMBER of MiB, e.g. 4095 for a FAT disk",
    ]
    assert "found     0" in _refusal({**options, "part_mib": "0"})


def test_a_folder_that_is_there_is_refused(options: dict[str, str], tmp_path: Path) -> None:
    assert f"found     {tmp_path} is there" in _refusal({**options, "to": str(tmp_path)})
    (tmp_path / "file").touch()
    inside = str(tmp_path / "file" / "bundle")
    assert f"found     nothing can be made in {tmp_path / 'file'}" in _refusal({**options, "to": inside})


def test_what_a_delta_lies_on_is_looked_at_before_anything_is_fetched(
    options: dict[str, str], making: Making, tmp_path: Path
) -> None:
    assert "no manifest.json" in _refusal({**options, "since": str(tmp_path / "none")})
    lab = making.bundle("lab", ["lab"], inventory=Inventory("lab", "0" * 64))
    assert f"found     {lab} is one for lab" in _refusal({**options, "since": str(lab)})


def test_a_key_that_does_not_sign_is_reported_before_any_download(
    options: dict[str, str], tmp_path: Path
) -> None:
    assert "No such file" in _refusal({**options, "key": str(tmp_path / "none")})
    assert "a public key" in _refusal({**options, "key": f"{options['key']}.pub"})
    locked = tmp_path / "locked"
    locked.write_bytes(pair("secret")[0])
    assert "it has a passphrase, and no agent holds it" in _refusal({**options, "key": str(locked)})
    Path(options["key"]).chmod(0o644)
    assert "found     " in _refusal(options)


def test_an_unsound_inventory_is_reported_as_a_run_reports_it(
    options: dict[str, str], tmp_path: Path
) -> None:
    Path(options["inventory"]).write_text("hosts:\n  box: {adress: 192.0.2.10}\n", encoding="utf-8")
    with pytest.raises(DeployError, match="adress"):
        _plan(options)
    with pytest.raises(DeployError, match=r"none\.yaml"):
        _plan({**options, "inventory": str(tmp_path / "none.yaml")})


def test_a_model_that_the_card_decides_is_refused(options: dict[str, str]) -> None:
    Path(options["inventory"]).write_text(f"{INVENTORY}    model: auto\n", encoding="utf-8")
    assert "found     auto: box" in _refusal(options)


def test_a_system_that_is_not_known_is_refused_before_anything_is_run() -> None:
    (option,) = (it for it in VERBS["deploy/bundle.py"].options if it.name == "systems")
    assert option.faults("debian 12,ubuntu 24.04") == []
    (fault,) = option.faults("debian 12,debian 31")
    assert fault.remedy == 'did you mean "debian 13"?'


def test_a_real_run_without_hosts_says_what_is_missing() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("pyinfra")), "-y", "@local", "deploy/bundle.py"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 1
    assert "required  --data inventory=FILE" in output
    assert "Traceback" not in output
