"""Services by image: their units, what they may, what they are given, and what a host must have for them."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engine import containers, remote
from engine.resources import Absent, Enabled, File, Packages
from roles.ollama import deploy as ollama
from roles.preflight import checks
from roles.preflight.facts import parse
from schemas.hardware import Engine
from schemas.model import HostPlan
from tests.roles.plans import INVENTORY, components_of, plan
from tests.roles.test_preflight import PROBE

DIGEST = "0123456789abcdef" * 4
BY_IMAGE = INVENTORY.replace(
    "{version: 0.24.0}",
    f"{{install: image, version: 0.24.0, image: 'docker.io/ollama/ollama@sha256:{DIGEST}'}}",
)
QUADLETS = Engine("podman", quadlets=True)
ENGINES = [QUADLETS, Engine("podman", quadlets=False), Engine("docker", quadlets=False)]
QUADLET, UNIT = "/etc/containers/systemd/ollama.container", "/etc/systemd/system/ollama.service"


def by_image(engine: Engine = QUADLETS, cards: tuple[str, ...] = ()) -> HostPlan:
    it = plan(BY_IMAGE)
    assert it.ollama
    return replace(it, engine=engine, ollama=replace(it.ollama, cards=cards))


def files(it: HostPlan) -> dict[str, str]:
    return {file.path: file.content for file in ollama.resources(it) if isinstance(file, File)}


@pytest.mark.parametrize("engine", ENGINES, ids=str)
def test_a_container_has_no_privileges_and_is_never_pulled_at_its_start(engine: Engine) -> None:
    it = by_image(engine)
    text = files(it)[QUADLET if engine.quadlets else UNIT].replace("\\\n", "")
    assert "--pull=never" in text
    assert f"localhost/venom/ollama:{DIGEST[:12]}" in text
    # In a quadlet's words or in the engine's own.
    for one, other in (
        ("Network=host", "--network=host"),
        ("DropCapability=all", "--cap-drop=all"),
        ("NoNewPrivileges=true", "no-new-privileges"),
        ("ReadOnly=true", "--read-only "),
    ):
        assert one in text or other in text
    writable = {
        line.split(":")[0] for line in text.replace("--volume=", "\nVolume=").splitlines() if ":rw" in line
    }
    assert {it for it in writable if it.startswith("Volume=")} == {"Volume=/var/lib/ollama"}
    assert "PartOf=venom.target" in text
    assert "WantedBy=venom.target" in text


@pytest.mark.parametrize("engine", ENGINES, ids=str)
def test_what_the_unit_sets_goes_into_the_container_by_name_and_home_does_not_come_from_there(
    engine: Engine,
) -> None:
    it = by_image(engine)
    assert it.ollama
    own = files(it)
    for name in (*it.ollama.env, "VENOM_FINGERPRINT"):
        assert f"--env={name}" in own[QUADLET if engine.quadlets else UNIT]
    drop_in = own["/etc/systemd/system/ollama.service.d/venom.conf"]
    # As root's, podman would look for settings there, which Ollama may write.
    assert "HOME" not in drop_in.replace("OLLAMA_HOME", "")
    assert "VENOM_FINGERPRINT=" in drop_in


def test_one_kind_of_unit_makes_the_other_go() -> None:
    def absent(it: HostPlan) -> set[str]:
        return {one.path for one in ollama.resources(it) if isinstance(one, Absent)}

    assert UNIT in absent(by_image())
    assert QUADLET in absent(by_image(ENGINES[1]))
    assert QUADLET in absent(plan())
    assert {UNIT, QUADLET} <= absent(plan(INVENTORY.replace("profile: light", "profile: llm_off")))
    # What systemd makes of a quadlet cannot be enabled: its [Install] section does that.
    assert not [it for it in ollama.resources(by_image()) if isinstance(it, Enabled)]


def test_another_image_another_engine_and_another_tier_are_another_process() -> None:
    def fingerprint(it: HostPlan) -> str:
        assert it.ollama
        assert it.vram_tier
        assert it.model
        return ollama.service(it, it.ollama, it.vram_tier, it.model, gpu=False).fingerprint

    other = plan(BY_IMAGE.replace("0123", "3210"))
    quality = plan(f"{BY_IMAGE}    vram_tier: low-vram-8-12gb\n")
    prints = [
        *map(fingerprint, map(by_image, ENGINES)),
        fingerprint(other),
        fingerprint(quality),
        fingerprint(plan()),
    ]
    assert len(set(prints)) == len(prints)


def test_cards_are_given_as_their_maker_has_it() -> None:
    assert "AddDevice=nvidia.com/gpu=all\n" in files(by_image(cards=("nvidia",)))[QUADLET]
    assert "Wants=modprobe@nvidia_uvm.service" in files(by_image(cards=("nvidia",)))[QUADLET]
    assert "nvidia" not in files(by_image())[QUADLET]
    amd = files(by_image(ENGINES[1], cards=("amd",)))[UNIT]
    assert "--device=/dev/kfd --device=/dev/dri" in amd
    assert "evice" not in files(by_image())[QUADLET]


def test_podman_comes_only_where_docker_does_not_run_already() -> None:
    assert containers.packages(None) == []
    assert containers.packages(QUADLETS) == [Packages(("crun", "podman", "skopeo"))]
    assert containers.packages(ENGINES[2]) == [Packages(("skopeo",))]


@pytest.mark.parametrize(
    ("printed", "engine"),
    [
        ("os=debian 12\npodman=\ndocker=inactive", ENGINES[1]),
        ("os=debian 13\npodman=\ndocker=inactive", QUADLETS),
        ("os=debian 12\npodman=5.4.2\ndocker=inactive", QUADLETS),
        ("os=debian 13\npodman=\ndocker=active", ENGINES[2]),
        ("os=debian 13\npodman=5.4.2\ndocker=active", QUADLETS),
    ],
)
def test_a_host_has_podman_or_gets_it_unless_it_runs_docker(printed: str, engine: Engine) -> None:
    rest = "\n".join(line for line in PROBE.splitlines() if not line.startswith("os="))
    assert parse(f"{rest}\n{printed}").hardware.engine == engine


def findings(it: HostPlan, more: str) -> list[str]:
    rest = "\n".join(
        line for line in PROBE.splitlines() if not line.startswith(("listen=", "amd=", "nvidia="))
    )
    return [str(one) for one in checks.plan_findings(it, components_of(it), parse(f"{rest}\n{more}"), ())]


def test_a_podman_that_is_too_old_is_refused() -> None:
    (finding,) = findings(by_image(ENGINES[1]), "podman=3.4.4")
    assert "podman 4.3 or later" in finding
    assert "install: binary" in finding
    assert findings(by_image(ENGINES[1]), "podman=4.3.1") == []
    assert findings(plan(), "podman=3.4.4") == []


def test_a_card_without_a_cdi_specification_is_refused_with_the_way_to_get_one() -> None:
    (finding,) = findings(by_image(cards=("nvidia",)), "cdi=vendor.com/net")
    assert "nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml" in finding
    assert findings(by_image(cards=("nvidia",)), "cdi=nvidia.com/gpu") == []
    assert findings(by_image(cards=("amd",)), "") == []


ID = "3f2a" * 16


@pytest.mark.parametrize(
    ("listener", "who", "remedy"),
    [
        (
            f"conmon libpod-conmon-{ID}.scope",
            "a container of podman: 3f2a3f2a3f2a",
            "podman stop 3f2a3f2a3f2a",
        ),
        (f"ollama docker-{ID}.scope", "a container of Docker: 3f2a3f2a3f2a", "docker stop 3f2a3f2a3f2a"),
        (
            f"ollama libpod-{ID}.scope@1000",
            "a container of podman of user 1000 (rootless)",
            "sudo -u '#1000' podman stop 3f2a3f2a3f2a",
        ),
        ("docker-proxy docker.service", "the port of a container, docker.service", "docker ps"),
        ("rootlessport user@1000.service", "the port of a container, user@1000.service", "podman ps"),
    ],
)
def test_a_port_that_somebodys_container_holds_is_reported_with_the_way_to_stop_it(
    listener: str, who: str, remedy: str
) -> None:
    process, unit = listener.split(" ")
    (finding,) = findings(by_image(), f"listen=127.0.0.1:11434 77 {process} {unit}")
    assert "port 11434 free for ollama" in finding
    assert who in finding
    assert remedy in finding


def test_the_fingerprint_is_that_of_the_process_that_a_watcher_started(tmp_path: Path) -> None:
    fingerprint = runpy.run_path(str(remote.SCRIPTS / "fingerprint.py"))["fingerprint"]
    # What counts of it is its name.
    shutil.copy("/bin/sh", tmp_path / "conmon")
    environment = {"PATH": os.environ["PATH"]}
    line = [str(tmp_path / "conmon"), "-c", "env VENOM_FINGERPRINT=inside sleep 60 & wait"]
    with subprocess.Popen(line, env=environment) as watcher:
        try:
            deadline = time.monotonic() + 10
            while not (found := fingerprint(str(watcher.pid))) and time.monotonic() < deadline:
                time.sleep(0.05)
            children = Path(f"/proc/{watcher.pid}/task/{watcher.pid}/children").read_text().split()
            assert found == "inside"
        finally:
            watcher.kill()
            for child in children:
                os.kill(int(child), 9)
    assert fingerprint("0") == ""
