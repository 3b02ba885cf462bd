"""Three hosts that run containers, each its own way, and what can be seen of their Ollama."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import fleet, network, upstream_image_registry, upstream_images
from lab.hosts import Host
from lab.upstream_http import REQUEST_LOG
from tests.lab import provisioning, visitor
from tests.lab.provisioning import Result
from tests.lab.serving import Serving, llm_off, of
from tests.lab.visitor import LIGHT, OLLAMA

OLD, NEW = "0.24.0", "0.32.15"
DOOR = f"http://{network.GATEWAY}:{upstream_image_registry.DOOR_PORT}"
KINDS = ("quadlet", "podman", "docker")


@dataclass(frozen=True)
class Ollama:
    """What can be seen of a host's Ollama, and of the services beside it."""

    processes: Mapping[str, int]
    version: str
    source: str  # the file that its unit is made of
    images: tuple[str, ...]  # names, of the engine that it runs by
    containers: tuple[str, ...]

    @classmethod
    def of(cls, host: Host, kind: str) -> Ollama:
        """As it is now."""
        engine = "docker" if kind == "docker" else "podman"
        names = host.run(f"{engine} images --format '{{{{.Repository}}}}:{{{{.Tag}}}}'").stdout.split()
        unit = "systemctl show --value --property SourcePath --property FragmentPath ollama.service"
        return cls(
            processes=visitor.processes(host, LIGHT),
            version=visitor.fetch(host, f"{OLLAMA}/api/version").json()["version"],
            source=(host.run(unit).stdout.split() or [""])[-1],
            images=tuple(sorted(names)),
            containers=tuple(host.run(f"{engine} ps --all --format '{{{{.Names}}}}'").stdout.split()),
        )


@dataclass(frozen=True)
class Fleet:
    """The three hosts, and the inventories that hold for them."""

    hosts: Mapping[str, Host]
    folder: Path

    def run(self, deploy: str = "deploy/venom.py", /, **settings: dict[str, Any]) -> Result:
        """The main job against the hosts that are named, each with settings of its own."""
        return provisioning.run(self.inventory(**settings), deploy=deploy)

    def inventory(self, **settings: dict[str, Any]) -> Path:
        """The inventory of a run. Nothing is kept to go back to: what is not needed goes."""
        mirrors = {**fleet.default()["defaults"]["mirrors"], "images": [DOOR]}
        own = {
            kind: (self.hosts[kind], {"keep_generations": 1, "mirrors": mirrors, **_login(kind), **theirs})
            for kind, theirs in settings.items()
        }
        return provisioning.inventory(self.folder, of(own))


def _login(kind: str) -> dict[str, Any]:
    return {"ssh": llm_off()["ssh"]} if kind == "quadlet" else {}


def by_image(version: str = OLD, **more: Any) -> dict[str, Any]:
    """The settings of a host whose Ollama is an image, `more` of Ollama's among them."""
    return {"ollama": {"install": "image", "version": version, **more}}


def make_trio(serving: Serving, folder: Path) -> Fleet:
    """Copies of hosts that serve: one without a model, two with Ollama from its files."""
    quadlet, podman, docker = serving.copies("off", "light", "light")
    # Debian 12's crun wants what the lab's machine has not; podman is content with either.
    install = "apt-get install -qq --no-install-recommends"
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Host.run, (podman, docker), (f"{install} runc", f"{install} docker.io")))
    return Fleet({"quadlet": quadlet, "podman": podman, "docker": docker}, folder)


def digest(version: str) -> str:
    """Of the stand-in's image of that version: sha256:…"""
    return next(it.digest for it in upstream_images.prepared() if it.tag == version)


def pulled(host: Host, since: float) -> list[str]:
    """The large layers that the host was sent. Before, its address was another's, perhaps."""
    entries = (json.loads(line) for line in REQUEST_LOG.read_text().splitlines())
    mine = (it for it in entries if it["client"] == host.address and it["server"] == "images")
    return [it["path"] for it in mine if it["bytes"] > 1_000_000 and it["time"] > since]
