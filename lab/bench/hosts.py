"""The hosts of a measurement: one that was provisioned afresh, and clones of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab import fleet, preconditions, ssh, upstream_process
from lab.hosts import Host, all_hosts
from lab.state import REPOSITORY, CommandFailed, LabError

COUNT = 8
OFF = {"profile": "llm_off"}
_PROBE = REPOSITORY / "roles" / "preflight" / "scripts" / "probe.sh"


@contextmanager
def provisioned(folder: Path, name: str | None, log: Callable[[str], None]) -> Iterator[list[Host]]:
    """Hosts that serve: the one that has this name, or eight fresh ones, which go away again."""
    if name:
        _prepare()
        log(f"making {name} serve, where it does not")
        yield [_serving(folder, Host.get(name))]
        return
    with _gone_again():
        log("booting a host, making it serve, cloning it")
        first = _serving(folder, Host.create("bench-1"))
        yield [first, *_clones(folder, first, COUNT)]


@contextmanager
def fleet_of(folder: Path, count: int, log: Callable[[str], None]) -> Iterator[list[Host]]:
    """So many fresh hosts in profile llm_off, for which 100 MB of memory each are enough."""
    with _gone_again():
        log(f"booting a host, making it serve, cloning it {count - 1} times")
        first = Host.create("bench-1")
        pyinfra(inventory(folder, "first", [first], **OFF))
        yield [first, *_clones(folder, first, count, **OFF)]


def _prepare() -> None:
    if missing := preconditions.missing():
        raise LabError(preconditions.message(missing))
    upstream_process.ensure()


@contextmanager
def _gone_again() -> Iterator[None]:
    _prepare()
    try:
        yield
    finally:
        for host in all_hosts():
            if host.name.startswith("bench-"):
                host.destroy()
                ssh.forget(host.name)


def _serving(folder: Path, host: Host) -> Host:
    """The host, once it serves and Ansible can keep its state, too."""
    pyinfra(inventory(folder, "first", [host]))
    # Ansible's module for packages needs it, and would install it in its first run.
    host.run("DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends python3-apt")
    return host


def _clones(folder: Path, first: Host, count: int, **settings: Any) -> list[Host]:
    """Further hosts that serve what the first one does."""
    first.stop()
    clones = [first.clone(f"bench-{number}") for number in range(2, count + 1)]
    first.start()
    pyinfra(inventory(folder, "clones", [first, *clones], **settings))
    return clones


def inventory(folder: Path, name: str, hosts: Sequence[Host], **settings: Any) -> Path:
    """The `.py` of an inventory of these hosts; `settings` go over the lab's defaults."""
    declared = fleet.default()
    data = {
        **declared,
        "defaults": {**declared["defaults"], **settings},
        "hosts": {host.name: {"address": host.address} for host in hosts},
    }
    return fleet.write(data, folder / f"{name}.py")


def plain_inventory(folder: Path, name: str, hosts: Sequence[Host]) -> Path:
    """An inventory of the same hosts with nothing of ours in it."""
    data = {"ssh_user": "root", "ssh_key": str(ssh.KEY), "ssh_known_hosts_file": str(ssh.KNOWN_HOSTS)}
    listed = [(host.name, data | {"ssh_hostname": host.address}) for host in hosts]
    path = folder / f"{name}.py"
    path.write_text(f"hosts = {listed!r}\n")
    return path


def pyinfra(
    hosts: Path, deploy: str = "deploy/venom.py", env: Mapping[str, str] | None = None, *options: str
) -> str:
    """Run a deploy as an operator does and return what it printed; `CommandFailed` if it fails."""
    command = [str(Path(sys.executable).with_name("pyinfra")), "-y", *options, str(hosts), deploy]
    result = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise CommandFailed(deploy, result)
    return result.stdout


def probed(host: Host) -> str:
    """What the product's probe says of the host."""
    return host.run("sh", input=_PROBE.read_text()).stdout
