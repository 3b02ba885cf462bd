"""Hosts that reach nothing but a store are provisioned from a bundle, and again from what a delta adds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab import network
from lab.hosts import Host
from lab.state import REPOSITORY
from lab.upstream_files import FilesHandler
from lab.upstream_http import RequestLog, Upstream
from lab.upstream_registry import MANIFEST
from tests.lab import provisioning
from tests.lab.alone import alone, tried
from tests.lab.conftest import LabHost
from tests.lab.serving import of
from tests.ssh_keys import pair

_BLOB, _JSON = "application/octet-stream", "application/json"
# npm puts the registry's host, without its path, before a tarball's.
_TARBALL = re.compile(r"/(?:@[^/]+/)?[^/]+/-/[^/]+\.tgz")


class _Store(FilesHandler):
    """Serves a filled tree as nginx would: pages of folders, types of manifests, the place of each blob."""

    role = "store"

    def respond(self, path: str, fault: str) -> None:
        if path in ("/v2", "/v2/"):
            self.send_text(200, "{}", _JSON)
            return
        if _TARBALL.fullmatch(path):
            path = f"/npm{path}"
        pages = ((f"{path.rstrip('/')}/index.{it}", it) for it in ("html", "json"))
        asked = [(path, ""), *pages]
        file, kind = next(((it, kind) for one, kind in asked if (it := self._file(one))), (None, ""))
        if file is None:
            self.send_text(404, "not found\n")
        elif kind:
            self.send_file(file, "text/html" if kind == "html" else _JSON, {}, fault)
        else:
            manifest = path.startswith("/v2/") and "/manifests/" in path
            headers = {"Location": path} if path.startswith("/v2/") else {}
            self.send_file(file, MANIFEST if manifest else _BLOB, headers, fault)


@contextmanager
def _served(tree: Path) -> Iterator[str]:
    """The tree on the lab's bridge; yields host and port."""
    log = RequestLog(tree.parent / "requests.log")
    with Upstream((network.GATEWAY, 0), _Store, tree, log) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"{network.GATEWAY}:{server.server_port}"
        server.shutdown()


@pytest.fixture
def signer(tmp_path: Path) -> Path:
    """The key of who makes the bundles; `allowed` beside it has the public one."""
    private, public = pair()
    key = tmp_path / "key"
    key.write_bytes(private)
    key.chmod(0o600)
    (tmp_path / "allowed").write_bytes(b"ada@desk " + public)
    return key


def _made(inventory: Path, to: Path, key: Path, *more: str) -> str:
    """Make a bundle, as an operator does on a machine with the Internet; gives what was printed."""
    wanted = {"inventory": inventory, "to": to, "key": key, "part_mib": 64}
    options = [it for name, value in wanted.items() for it in ("--data", f"{name}={value}")]
    command = [str(Path(sys.executable).with_name("pyinfra")), "-y", "@local", "deploy/bundle.py"]
    done = subprocess.run(
        [*command, *options, *more], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=1800
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


def _fill(bundle: Path, tree: Path, key: Path) -> subprocess.CompletedProcess[str]:
    """Fill the tree by the program that lies in the bundle."""
    arguments = ["fill", bundle, tree, "--signers", key.with_name("allowed")]
    command = ["python3", "-I", "-S", bundle / "venom-bundle.pyz", *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, timeout=600)


def _far(store: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the inventory says on the far side: the folder is a store, and there is nothing else."""
    nothing: dict[str, Any] = {"files": [], "images": []}
    return {**settings, "store": {"url": f"http://{store}"}, "internet": False, "mirrors": nothing}


def _own_apt(host: Host) -> str:
    """What the host's administrator has written for apt."""
    return host.run("cd /etc/apt && find . -type f -exec sha256sum {} + | sort").stdout


@pytest.mark.usefixtures("upstream")
def test_hosts_without_the_internet_are_provisioned_from_a_bundle(
    lab_host: LabHost, signer: Path, tmp_path: Path
) -> None:
    twelve, thirteen = lab_host(12, airgapped=True), lab_host(13, airgapped=True)
    hosts: dict[str, tuple[Host, dict[str, Any]]] = {
        "twelve": (twelve, {"profile": "light"}),
        "thirteen": (thirteen, {"profile": "llm_off"}),
    }
    (tmp_path / "near").mkdir()
    near = provisioning.inventory(tmp_path / "near", of(hosts)).with_suffix(".yaml")
    first, tree = tmp_path / "first", tmp_path / "store"
    assert f"a bundle for {near.stem} in {first}" in _made(near, first, signer)
    assert max(it.stat().st_size for it in first.iterdir()) <= 64 << 20
    filled = _fill(first, tree, signer)
    assert filled.returncode == 0, filled.stderr

    cache = tmp_path / "far"
    shutil.copytree(tree / "provisioner" / "cache", cache / "venom-provisioner")
    # What the far controller asks an index or a git server for, it must have already.
    offline = {**os.environ, "XDG_CACHE_HOME": str(cache), "UV_OFFLINE": "1", "PIP_NO_INDEX": "1"}
    with _served(tree) as store, alone() as controller:
        before = {host: _own_apt(host) for host in (twelve, thirteen)}
        tries = {host: tried(host) for host in before}
        declared = of({name: (host, _far(store, settings)) for name, (host, settings) in hosts.items()})
        far = provisioning.inventory(tmp_path, declared)
        provisioning.run(far, env=offline, within=controller.within).check()
        again = provisioning.run(far, env=offline, within=controller.within).check()
        assert again.changed_operations == []
        assert controller.tried == 0, "nothing tried to leave"
        assert {host: tried(host) for host in before} == tries
        requests = (tmp_path / "requests.log").read_text(encoding="utf-8")
        assert twelve.address in requests
        assert thirteen.address in requests
        # Debian's packages come by the store, too, and nothing of the hosts' own apt has changed for it.
        assert {host: _own_apt(host) for host in before} == before

    # A delta on top: nothing is new, so it packs next to nothing, and is refused without what lies beneath.
    second = tmp_path / "second"
    output = _made(near, second, signer, "--data", f"since={first}")
    assert "on top of the one from " in output
    assert sum(it.stat().st_size for it in second.iterdir()) < 20 << 20
    refused = _fill(second, tmp_path / "elsewhere", signer)
    assert "this is a delta" in refused.stderr
    assert _fill(second, tree, signer).returncode == 0
