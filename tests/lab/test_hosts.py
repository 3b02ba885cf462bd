"""The lab's hosts are what the provisioner's promises are made for: real, bare and disposable."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lab import layers, network, processes
from lab.hosts import HOSTS, Host, all_hosts
from lab.state import REPOSITORY, CommandFailed, LabError
from tests.lab.conftest import LabHost

pytestmark = pytest.mark.of_the_lab

_DEBIAN = pytest.mark.parametrize("debian", [12, 13])


@pytest.fixture(scope="module")
def fresh(module_host: LabHost) -> Callable[[int], Host]:
    """One fresh host a Debian release, shared by the tests that change nothing on it."""
    made: dict[int, Host] = {}

    def get(debian: int) -> Host:
        if debian not in made:
            made[debian] = module_host(debian)
        return made[debian]

    return get


@_DEBIAN
def test_a_host_has_a_real_systemd_without_a_failed_unit(fresh: Callable[[int], Host], debian: int) -> None:
    host = fresh(debian)
    state = host.run("systemctl is-system-running --wait", check=False).stdout.strip()
    failed = host.run("systemctl --failed --no-legend").stdout
    assert (state, failed) == ("running", "")
    assert host.run("cat /etc/debian_version").stdout.startswith(f"{debian}.")
    assert host.run("hostname").stdout.strip() == host.name
    assert host.run("stat -fc %T /sys/fs/cgroup").stdout.strip() == "cgroup2fs"


@_DEBIAN
def test_a_host_has_nothing_that_the_product_must_bring(fresh: Callable[[int], Host], debian: int) -> None:
    look = "command -v python3 sudo curl git node update-ca-certificates"
    assert fresh(debian).run(look, check=False).stdout == ""


@_DEBIAN
def test_a_host_installs_packages(fresh: Callable[[int], Host], debian: int) -> None:
    host = fresh(debian)
    host.run("apt-get update -qq && apt-get install -qq --no-install-recommends zstd")
    assert host.run("zstd --version").returncode == 0


def test_localhost_and_the_hosts_own_name_resolve(fresh: Callable[[int], Host]) -> None:
    host = fresh(12)
    assert host.run("getent hosts localhost").returncode == 0
    assert host.run(["getent", "hosts", host.name]).returncode == 0


def test_a_command_gets_its_words_its_input_and_gives_its_status(
    fresh: Callable[[int], Host],
) -> None:
    host = fresh(12)
    assert host.run(["echo", "a  b", "$HOME"]).stdout == "a  b $HOME\n"
    assert host.run("cat", input="żółw").stdout == "żółw"
    assert host.run("exit 7", check=False).returncode == 7
    with pytest.raises(CommandFailed, match=r"exit status 7\nwhy"):
        host.run("echo why >&2; exit 7")
    with pytest.raises(LabError, match="did not end within"):
        host.run("sleep 30", timeout=0.5)


def test_a_file_is_put_with_its_folders_and_its_mode(fresh: Callable[[int], Host]) -> None:
    host = fresh(12)
    host.put("secret\n", "/srv/a b/c", mode="0600")
    assert host.read("/srv/a b/c") == "secret\n"
    assert host.run("stat -c %a '/srv/a b/c'").stdout == "600\n"


def test_an_airgapped_host_reaches_the_lab_and_nothing_else(
    lab_host: LabHost, fresh: Callable[[int], Host]
) -> None:
    host = lab_host(airgapped=True)
    neighbour = fresh(12)
    assert _connects(host, neighbour.address, 22)
    mirror = _mirror_address(neighbour)
    assert _connects(neighbour, mirror, 80)
    assert not _connects(host, mirror, 80)
    # Not for the lack of a route alone: nothing of it is let through either.
    host.run(f"ip route add default via {network.GATEWAY}")
    assert not _connects(host, mirror, 80)


def test_a_hosts_cgroups_hold_its_own_processes_alone(fresh: Callable[[int], Host]) -> None:
    for host in (fresh(12), fresh(13)):
        # The kernel writes 0 for a process of another host, and systemd then ends none of that unit.
        shared = host.run("grep -rlx 0 /sys/fs/cgroup --include=cgroup.procs", check=False).stdout
        assert shared == ""


def test_a_host_keeps_its_data_over_a_stop_and_over_a_power_cut(lab_host: LabHost) -> None:
    host = lab_host()
    host.run("echo kept > /srv/data && sync")
    for hard in (False, True):
        host.stop(hard=hard)
        assert not host.up
        host.start()
        assert host.read("/srv/data") == "kept\n"


def test_a_clone_has_the_data_and_is_a_host_of_its_own(lab_host: LabHost) -> None:
    host = lab_host()
    host.run("echo original > /srv/data")
    name = f"{host.name}-twin"
    with pytest.raises(LabError, match="stop it before"):
        host.clone(name)
    host.stop()
    twin = host.clone(name)
    host.start()
    assert twin.read("/srv/data") == "original\n"
    twin.run("echo changed > /srv/data")
    assert host.read("/srv/data") == "original\n"
    for path in ("/etc/hostname", "/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub"):
        assert host.read(path) != twin.read(path)
    assert host.address != twin.address


def test_what_clones_share_stays_as_long_as_one_of_them_is_there(lab_host: LabHost) -> None:
    host = lab_host()
    host.run("echo original > /srv/data; rm -r /usr/share/doc; mkdir /usr/share/doc")
    host.stop()
    one, two = (host.clone(f"{host.name}-{name}") for name in ("one", "two"))
    [shared] = layers.of(HOSTS / host.name)
    assert layers.of(HOSTS / one.name) == layers.of(HOSTS / two.name) == [shared]
    host.destroy()
    one.destroy()
    assert two.run("cat /srv/data; ls /usr/share/doc").stdout == "original\n"
    two.destroy()
    assert not shared.exists()


def test_a_host_made_anew_is_empty_and_still_known(lab_host: LabHost) -> None:
    host = lab_host()
    key = host.read("/etc/ssh/ssh_host_ed25519_key.pub")
    host.run("touch /srv/data")
    again = Host.create(host.name, address=host.address)
    assert again.run("test -e /srv/data", check=False).returncode == 1
    assert again.read("/etc/ssh/ssh_host_ed25519_key.pub") == key


def test_an_operator_who_is_not_root_may_sudo(lab_host: LabHost) -> None:
    host = lab_host(sudo_user="operator")
    assert host.run("id -un; sudo -n id -un", user="operator").stdout == "operator\nroot\n"


def test_the_command_line_shows_hosts_and_passes_a_status_through(
    fresh: Callable[[int], Host],
) -> None:
    host = fresh(12)
    row = next(line for line in _lab("list").stdout.splitlines() if host.name in line)
    assert row.split()[:4] == [host.name, "12", host.address, "up"]
    done = _lab("run", host.name, "--", "sh", "-c", 'echo "a  b"; exit 7')
    assert (done.returncode, done.stdout) == (7, "a  b\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nosuch", "--", "true"], "there is no lab host 'nosuch'"),
        (["run", "nosuch"], "a command is missing"),
        (["up", "Bad_Name"], "'Bad_Name' is no name of a host"),
        (["up", "x", "--address", "10.0.0.1"], "10.0.0.1 is not a free address of the lab"),
        (["down"], "say which hosts, or --all"),
    ],
)
def test_a_mistake_gets_one_line(arguments: list[str], message: str) -> None:
    done = _lab(*arguments)
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_nothing_of_a_destroyed_host_stays(lab_host: LabHost) -> None:
    host = lab_host()
    assert _traces(host)
    host.destroy()
    assert not _traces(host)
    assert host.name not in Path("/proc/mounts").read_text()
    assert host.name not in [other.name for other in all_hosts()]


def test_a_host_that_lost_its_nspawn_is_found_and_started_again(lab_host: LabHost) -> None:
    host = lab_host()
    host.run("echo kept > /srv/data && sync")
    pid = json.loads((HOSTS / host.name / "nspawn.json").read_text())["pid"]
    processes.kill(pid)
    assert not host.up
    assert _traces(host), "the host itself goes on without its systemd-nspawn"
    host.start()
    assert host.read("/srv/data") == "kept\n"
    assert len(_traces(host)) == 1


def _traces(host: Host) -> list[str]:
    """The root mounts of systemds that run as this host."""
    mounts = [processes.root_mount(pid) for pid in processes.first_of_namespaces()]
    return [mount for mount in mounts if f"/{host.name}/upper" in mount]


def _lab(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def _connects(host: Host, address: str, port: int) -> bool:
    line = f"timeout 5 bash -c 'exec 3<>/dev/tcp/{address}/{port}'"
    return host.run(line, check=False).returncode == 0


def _mirror_address(host: Host) -> str:
    """Of the Debian mirror: what every host reaches outside, whatever else this machine does."""
    source = host.run("grep -m1 ^deb /etc/apt/sources.list").stdout
    name = urlsplit(next(word for word in source.split() if "://" in word)).hostname
    return host.run(f"getent ahostsv4 {name}").stdout.split()[0]
