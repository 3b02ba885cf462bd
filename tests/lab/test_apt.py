"""apt as people have it: another one is at work, sources fail that nothing is needed of.

One bare host goes through all of it; only the ground is made there, by the product's own way.
"""

from __future__ import annotations

import os
from pathlib import Path

from lab.hosts import Host
from tests.lab.conftest import LabHost, Provision
from tests.lab.proxy import proxy
from tests.lab.serving import of

_GROUND = "tests/lab/packages_run.py"
# As apt-daily does: a unit of its own holds a lock of fcntl(2).
_HOLD = """
use Fcntl;
open(my $file, '>>', $ARGV[0]) or die;
my $lock = pack('s s x4 q q i x4', F_WRLCK, 0, 0, 0, 0);
fcntl($file, F_SETLK, $lock) or die $!;
open(my $held, '>', '/run/held') or die;
sleep 1 until -e $ARGV[1];
sleep 5;
"""


def _hold(host: Host, lock: str, until: str) -> None:
    """Hold the lock until that file is there, and a little longer."""
    host.put(_HOLD, "/run/hold.pl")
    host.run("rm -f /run/held")
    host.run(f"systemd-run --quiet --collect --unit=apt-daily-of-the-test perl /run/hold.pl {lock} {until}")
    host.run("until [ -e /run/held ]; do sleep 0.1; done", timeout=20)


def test_a_host_waits_for_another_apt_and_goes_on_without_sources_that_fail(
    lab_host: LabHost, provision: Provision
) -> None:
    host = lab_host()
    declared = of({"busy": (host, {})})
    host.put("deb http://deb.example.invalid/debian bookworm main\n", "/etc/apt/sources.list.d/gone.list")

    # It hangs: the end of patience is one message, and nothing was installed.
    _hold(host, "/var/lib/apt/lists/lock", "/never")
    hung = provision(declared, deploy=_GROUND, env={**os.environ, "PATIENCE": "3"})
    ending = hung.endings["busy"]
    assert hung.status == 1
    assert "required  no other apt at work" in ending
    assert "perl (process " in ending
    assert "unit apt-daily-of-the-test.service) has held /var/lib/apt/lists/lock" in ending
    assert "if it hangs, end it on the host: systemctl stop apt-daily-of-the-test.service" in ending
    assert "Traceback" not in hung.output
    assert host.run("dpkg --status nginx", check=False).returncode != 0

    # It ends: the run goes on. What dpkg left half done is ended, too.
    host.run("systemctl stop apt-daily-of-the-test.service")
    host.run("apt-get install -qq --download-only zstd; dpkg --unpack /var/cache/apt/archives/zstd_*.deb")
    # The run records what it installs right before it waits.
    host.run("rm /var/log/venom-provisioner.log")
    _hold(host, "/var/lib/dpkg/lock-frontend", "/var/log/venom-provisioner.log")
    done = provision(declared, deploy=_GROUND).check()
    assert "packages: waiting for perl (process " in done.output
    assert "which holds /var/lib/dpkg/lock-frontend" in done.output
    assert "sources of packages that fail but were not needed" in done.endings["busy"]
    assert "/etc/apt/sources.list.d/gone.list:1: deb http://deb.example.invalid" in done.endings["busy"]
    for name in ("nginx", "zstd"):
        assert "Status: install ok installed" in host.run(f"dpkg --status {name}").stdout
    assert provision(declared, deploy=_GROUND).check().changed_operations == []


def test_debian_comes_by_the_proxy_of_the_inventory_and_a_wrong_login_is_reported(
    lab_host: LabHost, provision: Provision, tmp_path: Path
) -> None:
    host = lab_host(13, airgapped=True)
    login = tmp_path / "login"
    login.touch(mode=0o600)
    with proxy("ada:p@ss/word") as way:
        setting = {"url": way.url, "except": ["10.77.0.0/24"], "credentials": f"file:{login}"}
        declared = of({"office": (host, {"proxy": setting, "mirrors": {}})})
        login.write_text("ada:wrong")
        refused = provision(declared, deploy=_GROUND)
        assert f"required  a way through the proxy {way.url}" in refused.endings["office"]
        assert "407: it rejects them" in refused.endings["office"]
        assert host.run("test -e /etc/venom", check=False).returncode != 0
        login.write_text("ada:p@ss/word")
        provision(declared, deploy=_GROUND).check()
        requests = [it.split() for it in way.requests if it.endswith(" 200")]
        assert any(it[2].endswith(".deb") and "nginx" in it[2] for it in requests)
        assert {it[0] for it in requests} == {host.address}
        assert host.run("stat -c '%a %U' /etc/venom/proxy.env").stdout.strip() == "600 root"
        # The password is in that file, and nowhere else.
        found = host.run("grep -rlsF 'p%40ss' /etc /opt /run /var /root | sort").stdout.split()
        assert found == ["/etc/venom/proxy.env"]
        assert provision(declared, deploy=_GROUND).check().changed_operations == []
