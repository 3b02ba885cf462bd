"""The far side of an air gap: a web server over a filled tree, and a controller that came with it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import network
from lab.hosts import Host
from lab.upstream_files import FilesHandler
from lab.upstream_http import RequestLog, Upstream
from roles.store.scripts import faces
from tests.lab import provisioning
from tests.lab.alone import Alone, alone
from tests.lab.provisioning import Result
from tests.lab.serving import of

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
            headers = {"Location": path} if path.startswith("/v2/") else {}
            self.send_file(file, self._type(path), headers, fault)

    def _type(self, path: str) -> str:
        if not (path.startswith("/v2/") and "/manifests/" in path):
            return _BLOB
        named = (it for it in faces.MANIFEST_TYPES if self._file(f"/types/{faces.type_name(it)}{path}"))
        return next(named, faces.MANIFEST_TYPES[0])


@dataclass(frozen=True)
class Far:
    """A clone of the bundle's repository with an environment of its own, and the hosts that it provisions."""

    folder: Path
    hosts: Mapping[str, Host]
    store: str  # host and port
    controller: Alone

    @property
    def clone(self) -> Path:
        """Where the repository is."""
        return self.folder / "venom-provisioner"

    @property
    def tree(self) -> Path:
        """What the web server serves."""
        return self.folder / "store"

    @property
    def log(self) -> Path:
        """What the web server was asked for."""
        return self.folder / "requests.log"

    def run(self, settings: Mapping[str, dict[str, Any]], deploy: str = "deploy/venom.py") -> Result:
        """A run of that clone. `settings`: of each host, by its name."""
        far = {
            "store": {"url": f"http://{self.store}"},
            "internet": False,
            "mirrors": {"files": [], "images": []},
            "venom": {"tree": str(self.clone / "lab/venom")},
        }
        declared = of({name: (host, {**far, **settings[name]}) for name, host in self.hosts.items()})
        inventory = provisioning.inventory(self.folder, declared)
        start = time.monotonic()
        command = [".venv/bin/pyinfra", "-y", str(inventory), deploy]
        done = subprocess.run(self._within(command), check=False, **self._how)
        return Result(done.returncode, done.stdout, time.monotonic() - start)

    def prepare(self) -> None:
        """From a filled store to a controller, as docs/bundle.md says, with nothing from elsewhere."""
        self.clone.mkdir()
        store = self.tree / "provisioner"
        for command in (
            ["git", "clone", "--quiet", str(store / "venom-provisioner.bundle"), "."],
            ["python3", "-m", "venv", ".venv"],
            [".venv/bin/pip", "install", "--no-index", "--find-links", str(store / "wheels"), "-e", "."],
        ):
            done = subprocess.run(self._within(command), check=False, **self._how)
            assert done.returncode == 0, done.stdout
        shutil.copytree(store / "cache", self.folder / "cache" / "venom-provisioner")

    def _within(self, command: Sequence[str]) -> list[str]:
        return [*self.controller.within, *command]

    @property
    def _how(self) -> dict[str, Any]:
        # Nothing of this machine gets in but the Python that the session's environment was made of.
        path = f"{sys.base_prefix}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        own = {"PATH": path, "HOME": str(self.folder), "XDG_CACHE_HOME": str(self.folder / "cache")}
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return {"cwd": self.clone, "env": own, "text": True, "timeout": 1800, **streams}


@contextmanager
def far_side(folder: Path, hosts: Mapping[str, Host]) -> Iterator[Far]:
    """It, while the tree `store` in that folder is served on the lab's bridge."""
    log = RequestLog(folder / "requests.log")
    with Upstream((network.GATEWAY, 0), _Store, folder / "store", log) as server, alone() as controller:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield Far(folder, hosts, f"{network.GATEWAY}:{server.server_port}", controller)
        server.shutdown()
