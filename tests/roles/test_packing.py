"""What is packed is what a host would serve from; its bill of materials is CycloneDX; and it has a budget."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from engine import remote
from engine.environment import Lock
from engine.jobs import Job
from engine.refusal import RefusedError
from engine.release import Release
from roles.backend import deploy as backend
from roles.backend.lock import FOLDER
from roles.packing import sbom
from roles.packing.contents import Contents, backend_contents, frontend_contents
from roles.packing.deploy import base_job, pack_job
from roles.packing.publication import Publication, Registry
from roles.packing.summary import summary
from roles.ui import deploy as ui
from schemas.data.artifacts import variants
from tests.engine.test_scripts import check
from tests.roles.plans import INVENTORY, plan

LIGHT, UI = "venom-backend-light", "venom-frontend"
DEBIAN = "libc6\t2.41-12\tamd64\nca-certificates\t20250419\tall\n"


def lock() -> Lock:
    text = (
        "# a lock\nfastapi==0.115.0 \\\n    --hash=sha256:0\n    # via -r requirements.txt\nuvicorn==0.30.1\n"
    )
    return Lock(Path("lock.txt"), text, "1" * 64, fresh=False)


def contents(variant: str, inventory: str = INVENTORY) -> Contents:
    of = plan(inventory)
    made = Release.of(of, "0" * 64, "2" * 64, "1" * 64)
    if variants()[variant].tiers:
        launcher = backend.launcher(made)
        return backend_contents(variants()[variant], of, made, lock().text, lock().sha256, launcher)
    return frontend_contents(variants()[variant], of, made, ui.launcher(made))


# -- what is in it ------------------------------------------------------------------------------------


def test_the_backend_s_image_has_the_parts_that_its_launcher_starts_and_nothing_of_the_ui() -> None:
    image = contents(LIGHT)
    paths = [path for layer in image.layers for path in layer.paths]
    name, launcher = image.launcher
    assert name == "backend"
    assert image.release.source_path in launcher
    assert image.release.venv_path in launcher
    assert {image.release.source_path, image.release.venv_path} < set(paths)
    assert not [path for path in paths if "/node/" in path or "/uis/" in path]


def test_the_ui_s_image_has_the_parts_that_its_launcher_starts_and_neither_python_nor_npm() -> None:
    image = contents(UI)
    paths = [path for layer in image.layers for path in layer.paths]
    assert paths == [image.release.node_path, image.release.ui_path]
    assert all(path in image.launcher[1] for path in paths)
    assert f"{image.release.node_path}/bin/npm" in [it for layer in image.layers for it in layer.without]


def test_the_profile_changes_no_image() -> None:
    other = INVENTORY.replace("profile: light", "profile: llm_off")
    for name in (LIGHT, UI):
        assert contents(name).key == contents(name, other).key


def test_labels_say_what_it_is_made_of_and_no_setting_is_a_secret() -> None:
    image = contents(LIGHT)
    assert image.labels["org.opencontainers.image.revision"] == plan().source.commit
    assert image.labels["io.venom.backend-key"] == image.release.backend_key
    assert image.labels["io.venom.lock"] == lock().sha256
    assert not [name for name in image.environment if "KEY" in name or "TOKEN" in name]


# -- the jobs -----------------------------------------------------------------------------------------


def jobs() -> list[Job]:
    base = base_job()
    images = (contents(LIGHT), contents(UI))
    publication = Publication(Registry.of("http://registry.lab:5001"), ("sha-0123456", "rc1"), images)
    return [base, *(pack_job(it, base) for it in images), publication.job]


@pytest.mark.parametrize("job", jobs(), ids=lambda job: job.title)
def test_a_job_is_sound_with_its_library(job: Job) -> None:
    # os-release is the host's; what stands in single quotes is for another program.
    assert check(f"{remote.script('job.sh')}\n{job.script}", "bash", "SC1091", "SC2016") == ""


def test_what_is_over_its_budget_is_not_packed(tmp_path: Path) -> None:
    (tmp_path / "venv" / "__pycache__").mkdir(parents=True)
    (tmp_path / "venv" / "library.so").write_bytes(bytes(2_600_000))
    (tmp_path / "venv" / "__pycache__" / "module.pyc").write_bytes(bytes(5_000_000))
    image = contents(LIGHT)
    small = replace(image, measured=f"{tmp_path}/venv", variant=replace(image.variant, budget_mb=2))
    script = f"{remote.script('job.sh')}\n{pack_job(small, base_job()).script}"
    done = subprocess.run(
        ["bash", "-s"],
        input=script,
        env={"JOB": str(tmp_path), "PATH": "/usr/bin:/bin"},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[:2] == [
        f"required  at most 2 MB installed in {LIGHT} (budget_mb in schemas/data/artifacts.yaml)",
        f"found     3 MB in {tmp_path}/venv, without bytecode",
    ]


# -- the bill of materials ----------------------------------------------------------------------------


def test_the_bill_of_materials_is_valid_and_has_debian_python_and_the_interpreter() -> None:
    artifact = plan().python.artifact
    assert artifact
    found = [*sbom.of_debian(DEBIAN, "debian-13"), *sbom.of_lock(lock().text), sbom.of_artifact(artifact)]
    text = sbom.bill(LIGHT, "v1.9.0", found)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    assert document["metadata"]["component"]["name"] == LIGHT
    purls = sorted(it["purl"] for it in document["components"])
    assert purls[0] == "pkg:deb/debian/ca-certificates@20250419?arch=all&distro=debian-13"
    assert purls[1] == "pkg:deb/debian/libc6@2.41-12?arch=amd64&distro=debian-13"
    assert purls[2].startswith(f"pkg:generic/python@{artifact.version}?checksum=sha256:{artifact.sha256}")
    assert purls[3:] == ["pkg:pypi/fastapi@0.115.0", "pkg:pypi/uvicorn@0.30.1"]


def test_every_package_of_a_lock_is_in_it() -> None:
    text = (FOLDER / "v1.9.0/api-py3.12-amd64.txt").read_text(encoding="utf-8")
    pinned = [line for line in text.splitlines() if "==" in line and not line.startswith((" ", "#"))]
    assert len(sbom.of_lock(text)) == len(pinned) > 100


# -- the publication ----------------------------------------------------------------------------------


def test_a_registry_is_spoken_to_over_tls_unless_it_says_http() -> None:
    assert Registry.of("registry.example.org/venom") == Registry("registry.example.org/venom", tls=True)
    assert Registry.of("https://registry.example.org/") == Registry("registry.example.org", tls=True)
    assert Registry.of("http://10.77.0.1:5001") == Registry("10.77.0.1:5001", tls=False)


@pytest.mark.parametrize("written", ["docker://registry.example.org", "https://", "registry example"])
def test_what_is_no_registry_is_refused(written: str) -> None:
    with pytest.raises(RefusedError, match="required  registry=HOST"):
        Registry.of(written)


def test_what_is_shown_in_the_end_fits_into_an_inventory() -> None:
    images = (contents(LIGHT), contents(UI))
    record = {"digest": f"sha256:{'a' * 64}", "installed_mb": 597, "unpacked_mb": 950, "pull_mb": 288}
    known = MappingProxyType({it.path: record for it in images})
    publication = Publication(Registry.of("registry.lab:5001"), ("sha-0123456", "v1.9.0", "latest"), images)
    text = summary(images, publication, known)
    assert f"{LIGHT}    installed 597 of 650, image 950, to pull 288" in text
    assert f"backend: registry.lab:5001/{LIGHT}:v1.9.0@sha256:{'a' * 64}" in text
    assert f"frontend: registry.lab:5001/{UI}:v1.9.0@sha256:{'a' * 64}" in text
    assert "not published" in summary(images, None, known)
