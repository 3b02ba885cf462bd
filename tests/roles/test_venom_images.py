"""Backend and UI by image: what their units pass and allow, and what stays of them where Venom is made."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from engine.component import Component
from engine.env import quoted
from engine.observation import Observed
from engine.release import ImageRelease, Release
from engine.resources import Absent, File, Resource
from engine.services import Service
from fleet.builds import Build
from fleet.components import components
from roles.backend import deploy as backend
from roles.door.secrets import Revealed
from roles.release import deploy as release_role
from schemas.hardware import Engine
from schemas.model import HostPlan
from tests.roles.plans import INVENTORY, components_of, plan

A, B = "a" * 64, "b" * 64
SETTINGS = {"AI_MODE": "LOCAL", "OPENAI_API_KEY": "sk-of-nobody"}
QUADLETS = Engine("podman", quadlets=True)
ENGINES = [QUADLETS, Engine("podman", quadlets=False), Engine("docker", quadlets=False)]
MADE = Release(source="s", venv="v", ui="u", node="n", python="p")
PER_ENGINE = pytest.mark.parametrize("engine", ENGINES, ids=str)


def by_image(engine: Engine) -> HostPlan:
    images = (
        f"{{install: image, images: {{backend: 'registry.example.org/venom/backend@sha256:{A}',"
        f" frontend: 'registry.example.org/venom/frontend@sha256:{B}'}}}}"
    )
    it = plan(INVENTORY.replace("{release: v1.9.0}", images))
    return replace(it, engine=engine)


def release_of(it: HostPlan) -> ImageRelease:
    release = ImageRelease.of(it)
    assert release
    return release


def resources(it: HostPlan) -> list[Resource]:
    return resources_of(components(it, Build(release_of(it)), SETTINGS, Revealed(), gpu=False))


def resources_of(listed: Iterable[Component]) -> list[Resource]:
    """What backend and UI have on the host."""
    return [r for one in listed if one.name in ("backend", "ui") for r in one.resources]


def services(
    it: HostPlan, release: ImageRelease, settings: Mapping[str, str] = SETTINGS
) -> tuple[Service, Service]:
    """Backend and UI as running services."""
    listed = components(it, Build(release), settings, Revealed(), gpu=False)
    backend_service, ui_service = (one.service for one in listed if one.name in ("backend", "ui"))
    assert backend_service
    assert ui_service
    return backend_service, ui_service


def text_of(it: HostPlan, name: str) -> str:
    """The unit and its drop-in, long lines whole."""
    found = [r.content for r in resources(it) if isinstance(r, File) and name in r.path]
    return "\n".join(found).replace("\\\n", "")


@PER_ENGINE
def test_each_runs_as_the_hosts_user_from_its_own_image_and_start_script(engine: Engine) -> None:
    it = by_image(engine)
    for name, digest, start in (("backend", A, "backend"), ("frontend", B, "ui-server")):
        text = text_of(it, "venom-ui" if name == "frontend" else "venom-backend")
        assert f"localhost/venom/{name}:{digest[:12]}" in text
        assert f"/opt/venom/current/{start}" in text
        assert "venom" in text
        assert f"VENOM_IMAGE={digest[:12]}" in text


@PER_ENGINE
def test_the_backend_can_write_its_state_and_the_ui_nothing(engine: Engine) -> None:
    it = by_image(engine)
    assert "/var/lib/venom:/var/lib/venom:rw" in text_of(it, "venom-backend")
    assert ":rw" not in text_of(it, "venom-ui").replace("/tmp:rw", "")


@PER_ENGINE
def test_no_secret_is_in_a_unit_and_the_engine_gets_no_home_that_others_write(engine: Engine) -> None:
    it = by_image(engine)
    assert "sk-of-nobody" not in text_of(it, "venom-")
    drop_ins = [r.content for r in resources(it) if isinstance(r, File) and r.path.endswith("/venom.conf")]
    assert len(drop_ins) == 2
    assert not [text for text in drop_ins if "HOME=" in text or "PATH=" in text]


def test_another_image_is_another_fingerprint_of_its_own_service_only() -> None:
    it = by_image(QUADLETS)
    images = release_of(it).images
    other = replace(images, backend=replace(images.backend, sha256="c" * 64))
    backend_before, ui_before = services(it, release_of(it))
    backend_after, ui_after = services(it, replace(release_of(it), images=other))
    assert backend_before.fingerprint != backend_after.fingerprint
    assert ui_before.fingerprint == ui_after.fingerprint


def test_the_start_script_passes_the_image_and_what_stood_in_the_file(tmp_path: Path) -> None:
    it, settings = by_image(QUADLETS), {"AI_MODE": "LOCAL"}
    script = backend.launcher(MADE).split("exec ", 1)[0] + 'echo "$VENOM_FINGERPRINT"; umask\n'
    file = tmp_path / "venom.env"
    file.write_text("".join(f"{key}={quoted(value)}\n" for key, value in settings.items()))
    expected = services(it, release_of(it), settings)[0].fingerprint
    environment = {
        "PATH": "/usr/bin:/bin",
        "ENV_FILE": str(file),
        "VENOM_SETTINGS": "AI_MODE",
        "VENOM_IMAGE": A[:12],
        "VENOM_FINGERPRINT": expected.split(".", 1)[0],
    }
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [expected, "0077"]


def test_a_host_has_no_release_where_venom_is_images_and_no_container_where_it_is_made() -> None:
    it = by_image(QUADLETS)
    assert release_role.resources(release_of(it)) == [Absent("/opt/venom/current")]
    made = plan(INVENTORY)
    listed = components(made, Build(MADE), SETTINGS, Revealed(), gpu=False)
    absent = {r.path for r in resources_of(listed) if isinstance(r, Absent)}
    for name in ("venom-backend", "venom-ui"):
        assert f"/etc/containers/systemd/{name}.container" in absent
        assert f"/etc/systemd/system/{name}.service.d/venom.conf" in absent


def test_venom_finds_the_command_of_the_ollama_that_there_is() -> None:
    text = text_of(by_image(QUADLETS), "venom-backend")
    assert "/opt/ollama:/opt/ollama:ro" in text
    assert "PATH=/opt/venom/current/venv/bin:/opt/ollama/current/bin:" in text


def test_nothing_is_built_on_the_host_and_both_images_come() -> None:
    it = by_image(QUADLETS)
    listed = [one for one in components_of(it) if one.name in ("backend", "ui")]
    coming = [need for one in listed for need in one.needs if need.comes(Observed())]
    assert not any(need.memory for need in coming), "nothing is built"
    assert [need.what.split()[2] for need in coming] == ["backend", "frontend"]
    assert all(need.disk["/var"] > 0 for need in coming)
