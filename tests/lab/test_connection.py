"""Connecting to hosts as people have them: odd shells, jump hosts, and each way in which it can fail.

One run meets them all. Which name is which machine stands in a ~/.ssh/config, as it does for operators.
"""

from __future__ import annotations

import base64
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import fleet, network
from lab import ssh as lab_ssh
from lab.hosts import Host
from tests.lab import provisioning
from tests.lab.conftest import LabHost
from tests.lab.provisioning import Result
from tests.ssh_keys import pair

# What is asked of each: to be locked, to run something of ours, and an operation of pyinfra's own.
_DEPLOY = r"""
from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.context import host
from pyinfra.operations import server

from engine import lock, remote
from engine.operations import refusal_ends_this_host

with refusal_ends_this_host():
    answer = remote.ask(StringCommand("bash", "-c", QuoteString("id -un; echo oops >&2")))
    host.log(f"said {answer.stdout!r}, {answer.stderr!r}, {answer.ok}")
    lock.host_locked(name="Lock", needed=True, what="a test", generation="")
    server.shell(name="Shell", commands=[r"[ 'a\\b' = a\\\\b ]"])
    lock.host_unlocked(name="Unlock")
"""
_ODD = """
set -e
apt-get update -qq >/dev/null
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends fish sudo >/dev/null 2>&1
mkdir -p /root/.config/fish
echo 'echo hello from fish; printf cut' >/root/.config/fish/config.fish
echo 'echo hello from bash; echo hello >&2; printf cut' >/root/.bashrc
echo 'AUTHORIZED USERS ONLY' >/etc/issue.net
printf 'Banner /etc/issue.net\\nMaxSessions 1\\n' >/etc/ssh/sshd_config.d/odd.conf
for user in ada nosh; do
    useradd --create-home --shell /bin/bash $user
    install -d -m 0700 -o $user /home/$user/.ssh
    install -m 0600 -o $user /root/.ssh/authorized_keys /home/$user/.ssh/
done
usermod --shell /usr/sbin/nologin nosh
# sudo speaks the host's language.
echo 'ada ALL=(ALL) ALL' >/etc/sudoers.d/ada
usermod --shell /usr/bin/fish root
systemctl restart ssh
"""

# Name → what is read of it in the end, in this order.
_FAILED = {
    "nobody": (r"an SSH connection to nobody: .*root@10\.77\.0\.251 port 22", "no answer|no route to host"),
    "refused": (r"refused, root@[0-9.]+ port 2\b", "found +nothing listens on port 2", "do +start sshd"),
    "unknown": (r"root@no-such-host\.invalid port 22", 'the name "no-such-host.invalid" does not resolve'),
    "closes": (r"root@[0-9.]+ port 2299", "it closed the connection before the login", "do +check that sshd"),
    "stranger": (
        r"a login by key on stranger: stranger, root@[0-9.]+ port 22",
        "found +sshd refused root with .*/stranger",
        "do +put your public key into ~root/.ssh/authorized_keys",
    ),
    "changed": (
        r"required +the host key that .*/changed:2 has: .*, for changed: changed, root@[0-9.]+ port 22",
        "another one: ssh-ed25519 SHA256:.*Nothing was sent",
        "do +find out why",
    ),
    "authority": (
        r"certificates of hosts cannot be checked",
        r"/authority:1 trusts an authority",
        "add its key",
    ),
    "nologin": (
        r"a shell for nosh on nologin: .*nosh@",
        "This account is currently not available",
        "do +try the command `true`",
    ),
    "password": (
        r"root on the host, by sudo without a password for ada, on password: .*ada@[0-9.]+ port 22",
        "sudo asks ada for a password",
        r"do +as root there: echo 'ada ALL=\(ALL\) NOPASSWD: ALL' >/etc/sudoers.d/venom",
    ),
    "loop": ("a route to loop whose jump hosts form no loop", "bastion → bastion", "`ProxyJump none`"),
    "beyond": (r"through jump, root@[0-9.]+ port 22", "jump could not connect to it", "do +try ssh -J jump"),
    "lost": (r"the jump host of lost: root@no-jump\.invalid", "does not resolve", "~/.ssh/config"),
}


@dataclass(frozen=True)
class Met:
    """The run, and what it left in the operator's home."""

    home: Path
    odd: Host
    jump: Host
    result: Result


@pytest.fixture(scope="module")
def met(module_host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Met:
    """Two hosts under many names, met by one run."""
    folder = tmp_path_factory.mktemp("connection")
    odd, jump = module_host(12), module_host(13)
    odd.run(["sh", "-c", _ODD])
    home = folder / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    (home / ".ssh" / "config").write_text(_config(home, odd, jump))
    declared = fleet.default()
    del declared["defaults"]["ssh"]
    # What the inventory says of one wins over the file; of the others it says nothing.
    own = {"closes": {"port": 2299}, "stranger": {"key": str(home / ".ssh" / "stranger")}}
    names = ("odd", "inner", *_FAILED)
    declared["hosts"] = {name: {"address": name, "ssh": own.get(name, {})} for name in names}
    deploy = folder / "deploy.py"
    deploy.write_text(_DEPLOY)
    env = {**os.environ, "HOME": str(home)}
    env.pop("SSH_AUTH_SOCK", None)
    with _closes_connections():
        result = provisioning.run(provisioning.inventory(folder, declared), deploy=str(deploy), env=env)
    return Met(home, odd, jump, result)


def _config(home: Path, odd: Host, jump: Host) -> str:
    (home / ".ssh" / "stranger").write_bytes(pair()[0])
    wrong = base64.b64decode(pair()[1].split()[1])
    line = f"ssh-ed25519 {base64.b64encode(wrong).decode()}"
    (home / ".ssh" / "changed").write_text(f"@cert-authority *.example.org {line}\n{odd.address} {line}\n")
    (home / ".ssh" / "authority").write_text(f"@cert-authority 10.77.* {line}\n")
    where = {
        "odd": odd.address,
        "inner": f"{jump.address}\n ProxyJump odd",
        "nobody": str(network.SUBNET[251]),  # the lab gives none beyond 249
        "refused": f"{odd.address}\n Port 2",
        "unknown": "no-such-host.invalid",
        "closes": f"{network.GATEWAY}\n Port 22",
        "stranger": odd.address,
        "changed": f"{odd.address}\n UserKnownHostsFile ~/.ssh/changed",
        "authority": f"{odd.address}\n UserKnownHostsFile ~/.ssh/authority",
        "nologin": f"{odd.address}\n User nosh",
        "password": f"{odd.address}\n User ada",
        "loop": f"{odd.address}\n ProxyJump bastion",
        "bastion": f"{odd.address}\n ProxyJump bastion",
        "beyond": f"{odd.address}\n Port 2\n ProxyJump jump",
        "jump": jump.address,
        "lost": f"{odd.address}\n ProxyJump no-jump.invalid",
    }
    hosts = "".join(f"Host {name}\n HostName {place}\n" for name, place in where.items())
    return f"{hosts}Host *\n IdentityFile {lab_ssh.KEY}\n ProxyJump none\n"


@contextmanager
def _closes_connections() -> Iterator[None]:
    """A server on the bridge that closes each connection at once."""
    with socket.create_server((network.GATEWAY, 2299)) as server:

        def serve() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("name", ["odd", "inner"])
def test_a_host_works_whatever_its_shell_is_and_prints(met: Met, name: str) -> None:
    out = met.result.output
    assert re.search(rf"\[{name}\] +said 'root', 'oops', True$", out, re.M), out
    for operation in ("Lock", "Shell", "Unlock"):
        assert (name, operation) in met.result.changed_operations, out
    assert "hello" not in out


@pytest.mark.parametrize("name", list(_FAILED))
def test_a_host_that_is_not_reached_is_reported_with_its_address_why_and_what_to_do(
    met: Met, name: str
) -> None:
    ending = met.result.endings[name]
    assert ending.startswith("was not reached\nrequired  "), ending
    place = 0
    for pattern in _FAILED[name]:
        match = re.compile(pattern).search(ending, place)
        assert match, f"{pattern!r} is not in\n{ending}"
        place = match.end()


def test_no_failure_ends_in_a_traceback(met: Met) -> None:
    assert "Traceback" not in met.result.output
    assert "Exception" not in met.result.output
    assert set(met.result.endings) == {"odd", "inner", *_FAILED}


def test_new_hosts_are_recorded_once_jump_hosts_too(met: Met) -> None:
    known = (met.home / ".ssh" / "known_hosts").read_text().splitlines()
    assert sorted(line.split()[0] for line in known) == sorted([met.odd.address, met.jump.address])
    assert met.result.output.count(f"new host: the key of {met.jump.address}") == 1
