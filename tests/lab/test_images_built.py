"""Images of the lab's Venom, packed on a host and published in the lab's registry, serve without root."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from lab import fleet
from lab.hosts import Host
from roles.base.deploy import PACKAGES
from tests.lab import provisioning, visitor
from tests.lab.conftest import LabHost
from tests.lab.provisioning import Result, fleet_of, own_venom
from tests.lab.visitor import BACKEND as BACKEND_URL
from tests.lab.visitor import UI

REGISTRY = "10.77.0.1:5001"
BACKEND, FRONTEND = "venom-backend-light", "venom-frontend"


@dataclass(frozen=True)
class Built:
    """A build host after its first run, and what that printed."""

    host: Host
    inventory: Path
    arguments: tuple[str, ...]
    place: str  # on the registry
    commit: str
    result: Result

    def again(self, *arguments: str) -> Result:
        """One more run."""
        return provisioning.run(self.inventory, *(arguments or self.arguments), deploy="deploy/images.py")

    def reference(self, kind: str) -> str:
        """What the run printed for an inventory."""
        lines = self.result.endings[self.host.name].splitlines()
        return next(it for it in lines if it.startswith(f"{kind}: ")).removeprefix(f"{kind}: ")

    def config(self, kind: str) -> dict[str, object]:
        """The configuration of an image, as the registry has it."""
        line = f"skopeo inspect --config --tls-verify=false docker://{self.published(kind)}"
        config: dict[str, object] = json.loads(self.host.run(line).stdout)["config"]
        return config

    def published(self, kind: str) -> str:
        """The reference by digest alone: skopeo takes none with a tag as well."""
        name, _, digest = self.reference(kind).partition("@")
        return f"{name.rpartition(':')[0]}@{digest}"


@pytest.fixture(scope="module")
def built(module_host: LabHost, upstream: None, tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built")
    venom = own_venom(folder / "venom")
    for line in ("init -q -b main", "add -A", "-c user.name=lab -c user.email=lab@lab commit -qm lab"):
        subprocess.run(["git", "-C", str(venom), *line.split()], check=True)
    rev_parse = ["git", "-C", str(venom), "rev-parse", "HEAD"]
    commit = subprocess.run(rev_parse, check=True, capture_output=True, text=True).stdout.strip()
    host = module_host(13, podman=True, packages=PACKAGES.names)
    source = {"commit": commit, "repository": str(venom), "like": "v1.9.0"}
    inventory = provisioning.inventory(folder, fleet_of(host, venom=source))
    place = f"{REGISTRY}/{host.name}"
    arguments = ("--data", f"registry=http://{place}", "--data", "confirmed=yes", "--data", "extra=rc1")
    result = provisioning.run(inventory, *arguments, deploy="deploy/images.py").check()
    return Built(host, inventory, arguments, place, commit, result)


def test_both_images_are_published_by_digest_under_the_contract_s_tags(built: Built) -> None:
    for kind, name in (("backend", BACKEND), ("frontend", FRONTEND)):
        listed = requests.get(f"http://{REGISTRY}/v2/{built.host.name}/{name}/tags/list", timeout=10).json()
        assert sorted(listed["tags"]) == ["rc1", f"sha-{built.commit[:7]}"]
        assert built.reference(kind).startswith(f"{built.place}/{name}:rc1@sha256:")
        assert built.config(kind)["Labels"]["org.opencontainers.image.revision"] == built.commit  # type: ignore[index]


def test_a_second_run_builds_packs_and_pushes_nothing(built: Built) -> None:
    again = built.again().check()
    assert again.changed_operations == []
    assert built.reference("backend") in again.endings[built.host.name]


def test_what_is_not_on_main_is_not_published(built: Built) -> None:
    refused = built.again("--data", f"registry=http://{built.place}")
    assert refused.status != 0
    assert "a confirmation, to publish by hand" in refused.endings[built.host.name]


def test_a_bare_host_serves_from_them_as_from_a_release_and_a_second_run_changes_nothing(
    built: Built, module_host: LabHost, tmp_path: Path
) -> None:
    host = module_host(13, podman=True, packages=PACKAGES.names)
    images = {kind: built.reference(kind) for kind in ("backend", "frontend")}
    mirrors = {**fleet.default()["defaults"]["mirrors"], "images": [f"http://{REGISTRY}"]}
    declared = fleet_of(
        host, profile="llm_off", mirrors=mirrors, venom={"install": "image", "images": images}
    )
    inventory = provisioning.inventory(tmp_path, declared)
    provisioning.run(inventory).check()
    assert visitor.fetch(host, f"{BACKEND_URL}/healthz").status == 200
    assert visitor.fetch(host, f"{UI}/").status == 200
    assert host.run("find /opt/venom/sources /opt/venom/venvs /opt/venom/uis -mindepth 1").stdout == ""
    before = visitor.processes(host, visitor.LLM_OFF)
    assert provisioning.run(inventory).check().changed_operations == []
    assert visitor.processes(host, visitor.LLM_OFF) == before
    status = provisioning.run(inventory, deploy="deploy/status.py").check().output
    assert "in sync" in status
    assert all(built.reference(kind).rpartition(":")[2][:12] in status for kind in images)
    provisioning.run(inventory, deploy="deploy/remove.py").check()
    assert host.run("podman images --quiet; podman ps --all --quiet; ls -A /opt").stdout == ""


def test_they_serve_read_only_and_without_root_and_there_is_no_engine_in_them(built: Built) -> None:
    host = built.host
    sandbox = "--network=host --read-only --cap-drop=all --security-opt=no-new-privileges --tmpfs /tmp"
    for kind in ("backend", "frontend"):
        assert built.config(kind)["User"] == "10001:10001"
        host.run(
            f"podman run --detach --name {kind} {sandbox} --tls-verify=false"
            f" --volume {kind}:/var/{'lib/venom' if kind == 'backend' else 'cache/venom-ui'}"
            f" --env ACTIVE_LLM_SERVER=none --env LLM_WARMUP_ON_STARTUP=false {built.published(kind)}"
        )
        tools = "for it in docker podman apt npm sudo; do command -v $it; done; id -u"
        assert host.run(f"podman exec {kind} sh -c '{tools}'").stdout == "10001\n"
        bill = host.run(f"podman exec {kind} cat /opt/venom/current/sbom.cdx.json").stdout
        assert json.loads(bill)["bomFormat"] == "CycloneDX"
    for address in ("127.0.0.1:8000/healthz", "127.0.0.1:3000/"):
        again = "--retry 60 --retry-delay 1 --retry-connrefused"
        host.run(f"curl --silent --fail --output /dev/null {again} {address}")
    listening = host.run("ss -ltnH | awk '$4 ~ /:(8000|3000)$/ {print $4}'").stdout.split()
    assert sorted(listening) == ["127.0.0.1:3000", "127.0.0.1:8000"]
