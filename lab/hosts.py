"""Disposable hosts: each a fresh Debian with a real systemd, a real sshd and its own address.

A host is an overlay over a base tree, and over layers that it shares with its clones, booted by
systemd-nspawn on the lab's bridge. What is known of it lies in `STATE/hosts/NAME/host.json`: any
process can find, enter, stop and destroy it.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab import addresses, base, cgroups, identity, layers, network, nspawn, overlay, processes, ssh
from lab.processes import Background
from lab.state import STATE, CommandFailed, LabError, locked, machine, tail, write_whole

HOSTS = STATE / "hosts"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_BOOT_SECONDS = 60.0


@dataclass(frozen=True)
class Host:
    """One disposable host. Everything in here is decided when it is created and never changes."""

    name: str
    debian: int
    address: str
    base: str  # the tree it lies over, absolute
    airgapped: bool
    sudo_user: str | None  # logs in by SSH like root, and may sudo without a password
    created: str  # UTC, ISO 8601

    # -- life ---------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        name: str,
        debian: int = 12,
        *,
        fresh: bool = True,
        airgapped: bool = False,
        podman: bool = False,
        packages: Collection[str] = (),
        sudo_user: str | None = None,
        address: str | None = None,
    ) -> Host:
        """Create the host, boot it, wait for its SSH.

        One of this name that exists already is destroyed first, or, where not `fresh`, started as
        it is. With `podman` it is one on which podman is already installed, with `packages`
        these Debian packages.
        """
        if not _NAME.fullmatch(name):
            raise LabError(f"{name!r} is no name of a host: lower-case letters, digits and -")
        if sudo_user and not _NAME.fullmatch(sudo_user):
            raise LabError(f"{sudo_user!r} is no name of a user: lower-case letters, digits and -")
        if name in {host.name for host in all_hosts()}:
            host = cls.get(name)
            if not fresh:
                host.start()
                return host
            host.destroy()
        in_use = [Path(host.base) for host in all_hosts()]
        tree = base.ensure(debian, podman=podman, packages=packages, in_use=in_use)
        with locked("hosts"):
            host = cls(
                name=name,
                debian=debian,
                address=_free_address(name, address),
                base=str(tree),
                airgapped=airgapped,
                sudo_user=sudo_user,
                created=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            host._erase()  # what a creation that was cut short may have left
            host._furnish()
            host._remember()
        host.start()
        if sudo_user:
            host._add_sudo_user(sudo_user)
        return host

    @classmethod
    def get(cls, name: str) -> Host:
        """The host of this name, up or down; `LabError` if there is none."""
        try:
            return cls(**json.loads((HOSTS / name / "host.json").read_text()))
        except FileNotFoundError:
            names = ", ".join(host.name for host in all_hosts()) or "none"
            raise LabError(f"there is no lab host {name!r} (there are: {names})") from None

    def start(self) -> None:
        """Boot it, unless it is up, and wait for its SSH."""
        network.ensure()
        network.set_airgapped(self.address, self.airgapped)
        with locked("host", self._folder):
            if not self.up:
                self._cut_power()  # its systemd-nspawn may have died alone
                overlay.mount(self._folder, Path(self.base))
                boot = nspawn.command(self._folder, self.name)
                self._process.start(cgroups.inside(self.name, boot), env=os.environ | nspawn.ENVIRONMENT)
        self.wait_ssh()

    def stop(self, *, hard: bool = False) -> None:
        """Shut it down in order, or cut its power if `hard`. What is on it stays."""
        with locked("host", self._folder):
            if hard:
                self._cut_power()
            self._process.stop()
            self._cut_power()
            overlay.unmount(self._folder)

    def destroy(self) -> None:
        """Remove it with everything on it that no clone lies over."""
        self.stop(hard=True)
        self._erase()
        with locked("hosts"):
            layers.forget_unused(HOSTS)
        if network.exists():
            network.set_airgapped(self.address, False)

    def clone(self, name: str) -> Host:
        """A new host with everything that is on this one, booted. This one must be stopped.

        What makes a host itself is its own: name, address, host key and machine id. Both lie over what
        this one had on disk, which neither writes any more; what is in its containers' stores is copied.
        """
        if not _NAME.fullmatch(name) or name in {host.name for host in all_hosts()}:
            raise LabError(f"{self.name} cannot be cloned to {name!r}: not a free name of a host")
        with locked("hosts"):
            twin = Host(**(asdict(self) | {"name": name, "address": _free_address(name)}))
            twin._erase()
            with locked("host", self._folder):
                if self.up:
                    raise LabError(f"{self.name} is up: stop it before you clone it")
                self._cut_power()  # its systemd-nspawn may have died alone
                overlay.unmount(self._folder)
                layers.freeze(self._folder)
                twin._folder.mkdir(parents=True)
                layers.share(self._folder, twin._folder)
                # A host of an older lab has no folders for containers.
                for store in filter(lambda name: (self._folder / name).exists(), overlay.STORES):
                    machine(["cp", "-a", "--reflink=auto", self._folder / store, twin._folder / store])
            twin._furnish()
            twin._remember()
        twin.start()
        return twin

    @property
    def up(self) -> bool:
        """Whether its systemd-nspawn runs."""
        return self._process.pid is not None

    # -- use ----------------------------------------------------------------------------------

    def run(
        self,
        command: str | Sequence[str],
        *,
        check: bool = True,
        input: str | None = None,
        user: str = "root",
        timeout: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the host over SSH: a line for its shell, or an argument list as it is.

        `CommandFailed` if it fails, unless `check` is false; `LabError` after `timeout` seconds.
        """
        line = command if isinstance(command, str) else shlex.join(command)
        try:
            result = subprocess.run(
                [*self._ssh(user), line],
                input=input,
                stdin=subprocess.DEVNULL if input is None else None,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.name}: {line}: did not end within {timeout:g} s") from None
        if check and result.returncode != 0:
            raise CommandFailed(f"{self.name}: {line}", result)
        return result

    def put(self, content: Path | str | bytes, destination: str, *, mode: str = "0644") -> None:
        """Write a file on the host and its folders: a copy of a path, or the content itself."""
        data = content.read_bytes() if isinstance(content, Path) else content
        data = data.encode() if isinstance(data, str) else data
        line = f"install -D -m {mode} /dev/stdin {shlex.quote(destination)}"
        argv = [*self._ssh(), line]
        result = subprocess.run(argv, input=data, capture_output=True, check=False)
        if result.returncode != 0:
            raise LabError(f"{self.name}: {line}: {result.stderr.decode(errors='replace').strip()}")

    def read(self, path: str) -> str:
        """The text of a file on the host."""
        return self.run(["cat", path]).stdout

    def wait_ssh(self, seconds: float = _BOOT_SECONDS) -> None:
        """Return once the host lets us in; else `LabError` with its console's last lines."""
        deadline = time.monotonic() + seconds
        while True:
            result = self.run("true", check=False, timeout=seconds)
            if result.returncode == 0:
                ssh.share(self.address, self._connection)
                return
            if not self.up:
                raise LabError(f"{self.name} ended while booting\n{tail(self.console)}")
            if time.monotonic() > deadline:
                errors = result.stderr.strip()
                raise LabError(
                    f"{self.name} allowed no login within {seconds:g} s: {errors}\n{tail(self.console)}"
                )
            time.sleep(0.1)

    @property
    def console(self) -> Path:
        """What the host printed while it booted."""
        return self._folder / "console.log"

    # -- inside -------------------------------------------------------------------------------

    @property
    def _folder(self) -> Path:
        return HOSTS / self.name

    @property
    def _process(self) -> Background:
        return Background(self._folder / "nspawn.json", self.console)

    @property
    def _connection(self) -> Path:
        """The socket of the connection that commands share."""
        return self._folder / "ssh"

    def _ssh(self, user: str = "root") -> list[str]:
        return ssh.command(self.address, user, self._connection if user == "root" else None)

    def _furnish(self) -> None:
        identity.write(self._folder, self.name, self.address, self.debian, airgapped=self.airgapped)

    def _cut_power(self) -> None:
        """Kill the host's PID 1, with which the kernel ends every process of the host.

        Killing systemd-nspawn would not do: its host would go on without it.
        """
        ssh.unshare(self._connection)
        mark = overlay.mark(self._folder)
        for pid in processes.first_of_namespaces():
            if mark in processes.root_mount(pid):
                processes.kill(pid)

    def _remember(self) -> None:
        write_whole(self._folder / "host.json", json.dumps(asdict(self), indent=2) + "\n")

    def _erase(self) -> None:
        overlay.unmount(self._folder)
        cgroups.remove(self.name)
        if self._folder.exists():
            machine(["rm", "-rf", "--one-file-system", self._folder])

    def _add_sudo_user(self, user: str) -> None:
        """Somebody who logs in with the lab's key, is not root, and may sudo without a password."""
        script = f"""
            set -e
            DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends sudo
            useradd --create-home --no-user-group --shell /bin/bash {user}
            install -d -m 0700 -o {user} /home/{user}/.ssh
            install -m 0600 -o {user} /root/.ssh/authorized_keys /home/{user}/.ssh/
            echo '{user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{user}
        """
        self.run(script)


def all_hosts() -> list[Host]:
    """Every host there is, up or down, by name."""
    return [Host.get(file.parent.name) for file in sorted(HOSTS.glob("*/host.json"))]


def _free_address(name: str, wanted: str | None = None) -> str:
    return addresses.free(name, {host.address for host in all_hosts()}, wanted)
