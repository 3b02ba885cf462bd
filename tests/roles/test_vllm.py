"""vLLM as components: what it brings where it is planned, and that it brings nothing where it is not."""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import yaml

from engine.component import Component
from engine.packages import origin_of
from engine.proxy import Way
from engine.resources import Absent, Directory, File, Packages
from fleet import engines
from fleet.builds import Build
from fleet.components import components
from fleet.engines import lock_of
from roles.backend.requires import listed
from roles.door.secrets import Revealed
from roles.trees.deploy import TOKEN
from roles.vllm.deploy import PACKAGES, RULE
from schemas.data.pins import load as load_pins
from schemas.hardware import Gpu, Hardware
from schemas.inventory import load
from schemas.model import HostPlan, Store
from schemas.plan.driver import oldest
from schemas.plan.host import plan_host
from schemas.plan.items import Read, items
from schemas.plan.show import to_dict
from tests.roles.plans import plan as light_plan

MODEL = "google/gemma-3-4b-it"
CARD = Gpu("nvidia", "a card", 24 * 1024**3, "550.163.01", "8.9")
FILES = {
    "config.json": {"sha256": "0" * 64, "size": 900},
    "sub.d/model.safetensors": {"sha256": "1" * 64, "size": 8_600_000_000},
}


@cache
def plan(**settings: str) -> HostPlan:
    tree = {"commit": "0" * 40, "kv_bytes_per_token": 139_264, "files": FILES}
    host = {"profile": "full", "engines": {"vllm": {"model": MODEL}}, **settings}
    if "secrets" in settings:
        host["secrets"] = {"HF_TOKEN": settings["secrets"]}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "trees.yaml").write_text(yaml.safe_dump({"trees": {MODEL: tree}}), encoding="utf-8")
        path = Path(folder) / "fleet.yaml"
        path.write_text(yaml.safe_dump({"pins": ["trees.yaml"], "hosts": {"box": host}}), encoding="utf-8")
        declared = load(path).hosts[0]
    return plan_host(declared, Hardware("amd64", "", 64 * 1024**3, (CARD,)))


def of(planned: HostPlan) -> dict[str, Component]:
    build = Build.unknown(planned)
    if planned.vllm:
        build = replace(build, vllm=lock_of(planned, planned.vllm, offline=True))
    return {it.name: it for it in components(planned, build, {}, Revealed(), gpu=True)}


def test_light_does_not_grow_by_a_byte() -> None:
    light = of(light_plan())
    assert light["trees"] == Component(name="trees")
    vllm = light["vllm"]
    assert all(isinstance(it, Absent) for it in vllm.resources)
    # What removal looks for: an earlier inventory may have brought it.
    assert vllm.leftovers == (PACKAGES, Directory("/var/cache/private/venom-vllm", ours=True))
    assert vllm == Component("vllm", resources=vllm.resources, leftovers=vllm.leftovers, unit="vllm.service")
    assert not [
        path for it in light.values() for path in it.store_paths if "vllm" in path or "/trees/" in path
    ]
    assert "vllm" not in to_dict(light_plan())
    unit = next(it for it in light["backend"].resources if isinstance(it, File))
    assert "vllm" not in unit.content.lower()


def test_the_lock_of_the_pinned_vllm_is_there_with_digests_and_what_it_is_of() -> None:
    planned = plan()
    assert planned.vllm
    lock = lock_of(planned, planned.vllm, offline=True)
    assert lock.path == engines.FOLDER / "vllm-0.11.0-py3.12-amd64.txt"
    packages = listed(lock.text)
    assert packages["vllm"].version == planned.vllm.version
    # The set that starts: 5 has what 0.11.0 reads no more.
    assert packages["transformers"].version.startswith("4.")
    names = re.findall(
        r"(?m)^[a-z0-9.\-]+(?:\[[a-z0-9,\-]+\])?==\S+ \\\n    --hash=sha256:[0-9a-f]{64}", lock.text
    )
    assert len(names) == lock.packages == len(packages)
    pins, _ = load_pins()
    assert pins
    assert planned.vllm.version == pins.engines["vllm"].version


def test_a_closed_host_asks_the_store_alone_for_its_debian_packages_and_its_wheels() -> None:
    closed = replace(plan(), store=Store("http://192.0.2.1:8800", closed=True))
    made = of(closed)["vllm"]
    [packages] = [it for it in made.prerequisites if isinstance(it, Packages)]
    assert packages.names == PACKAGES.names
    assert packages.origin == origin_of(Way(), closed)
    assert packages.origin["VENOM_CLOSED"] == "yes"
    wheels = next(it for it in made.needs if "packages" in it.what and it.brings)
    assert wheels.sources == ("http://192.0.2.1:8800/pypi/",)
    assert "UV_DEFAULT_INDEX=http://192.0.2.1:8800/pypi" in made.jobs[0].script


def test_its_parts_lie_in_stores_under_keys_and_a_generation_names_them() -> None:
    made = of(plan())
    [tree] = made["trees"].store_paths
    assert re.fullmatch(r"/opt/venom/trees/gemma-3-4b-it-[0-9a-f]{12}", tree)
    assert [it.partition("-")[0] for it in made["vllm"].store_paths] == [
        "/opt/venom/venvs/vllm",
        "/opt/venom/python/3.12.14",
    ]
    assert made["vllm"].memory == 4_000_000_000, "preflight adds it up"
    service = made["vllm"].service
    assert service
    unit = next(
        it for it in made["vllm"].resources if isinstance(it, File) and it.path.endswith("vllm.service")
    )
    assert f"vllm serve {tree} --served-model-name {MODEL}" in unit.content
    assert f"VENOM_FINGERPRINT={service.fingerprint}" in unit.content
    assert "--host 127.0.0.1 --port 8001" in unit.content


def test_each_exception_of_its_sandbox_has_a_reason_before_it() -> None:
    unit = next(it for it in of(plan())["vllm"].resources if isinstance(it, File))
    own = unit.content.partition("kill it instead.\n")[2].partition("[Install]")[0]
    lines = [it for it in own.splitlines()[1:] if it]
    for before, line in zip(["", *lines], lines, strict=False):
        of_a_block = line.startswith(("DeviceAllow", "PrivateDevices", "NoExecPaths=/tmp"))
        assert line.startswith("#") or before.startswith("#") or of_a_block, line


def test_who_may_start_it_is_one_user_for_one_unit() -> None:
    rule = next(it for it in of(plan())["vllm"].resources if isinstance(it, File) and it.path == RULE)
    assert 'subject.user == "venom"' in rule.content
    assert 'action.lookup("unit") == "vllm.service"' in rule.content
    assert rule.content.count("return ") == 1


def test_a_token_is_in_no_job_and_is_shown_to_the_hub_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    gated = plan(secrets="env:HF_TOKEN")
    made = of(gated)["trees"]
    [job] = made.jobs
    assert "hf_secret" not in job.script
    assert "gated=https://huggingface.co\n# Read by curl" in job.script
    assert f"token={TOKEN % 'vllm'}" in job.script
    assert "token=" not in of(plan())["trees"].jobs[0].script


def test_a_driver_that_its_cuda_does_not_run_with_is_older_than_525() -> None:
    driver = of(plan())["vllm"].driver
    assert driver
    assert (driver.what, dict(driver.oldest)) == ("vLLM 0.11.0", {"": "525"})
    assert oldest(driver.oldest, "8.9").certain == "525"


def test_the_store_holds_its_packages_and_each_file_of_its_model() -> None:
    planned = plan()
    assert planned.vllm
    pins, _ = load_pins()
    assert pins
    text = lock_of(planned, planned.vllm, offline=True).text
    found = {it.name: it for it in items(planned, pins, Read(vllm=text))}
    large = found[f"sub.d/model.safetensors of {MODEL}"]
    assert large.face == f"files/huggingface.co/{MODEL}/resolve/{'0' * 40}/sub.d/model.safetensors"
    assert (large.digests, large.size) == ((f"sha256:{'1' * 64}",), 8_600_000_000)
    assert found["vllm 0.11.0"].fits == ("3.12", "amd64")
    # What it brings is what the preflight asks a closed store for.
    [need] = of(planned)["trees"].needs
    assert set(need.brings) <= set(found)
