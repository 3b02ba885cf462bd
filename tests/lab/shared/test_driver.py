"""A host with a card and no driver gets one: packages, a reboot that is asked for, and the run goes on.

The packages are doubles of Debian's, of a higher version: no host of the lab has a card, and the real
module takes minutes to build. They do what the run looks at: files, and the answer of nvidia-smi before and
after a boot.
"""

from __future__ import annotations

import re

import pytest

from lab import network
from lab.hosts import Host
from roles.driver.choice import BLOCKED
from roles.driver.sources import FILE as SOURCES
from tests.lab.card import BOOT, may_reboot, put_into
from tests.lab.conftest import Provision
from tests.lab.serving import Serving, of

_CURRENT = "readlink /etc/venom/generations/current"
_KERNEL = "6.1.0-99-amd64"
_MODULE = f"/lib/modules/{_KERNEL}/updates/dkms/nvidia-current.ko"
_SMI = f"""#!/bin/sh
[ "$({BOOT})" != "$(cat /var/lib/lab-card)" ] || {{
    echo "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
    exit 9
}}
echo 'Tesla T4, 15360, 535.309.01, 7.5, [N/A]'
"""
_PACKAGES = f"""
set -e
mkdir -p /srv/doubles; cd /srv/doubles
double() {{
    mkdir -p "$1/DEBIAN"
    printf '%s\\n' "Package: $1" 'Version: 999:1' 'Architecture: all' 'Maintainer: lab' \\
        'Description: double' >"$1/DEBIAN/control"
    dpkg-deb --build "$1" >/dev/null
    {{
        cat "$1/DEBIAN/control"
        echo "Filename: ./$1.deb"
        echo "Size: $(stat -c %s "$1.deb")"
        echo "SHA256: $(sha256sum "$1.deb" | cut -d' ' -f1)"
        echo
    }} >>Packages
}}
mkdir -p linux-image-amd64/boot linux-image-amd64/etc/modprobe.d
mkdir -p linux-headers-amd64/lib/modules/{_KERNEL}/build nvidia-smi/usr/bin
touch linux-image-amd64/boot/vmlinuz-{_KERNEL}
mkdir -p nvidia-kernel-dkms$(dirname {_MODULE}) nvidia-smi/DEBIAN
touch nvidia-kernel-dkms{_MODULE}
cat >nvidia-smi/usr/bin/nvidia-smi
printf '#!/bin/sh\\n{BOOT} >/var/lib/lab-card\\n' >nvidia-smi/DEBIAN/postinst
chmod 755 nvidia-smi/usr/bin/nvidia-smi nvidia-smi/DEBIAN/postinst
for name in linux-image-amd64 linux-headers-amd64 nvidia-kernel-dkms nvidia-smi libcuda1 \\
    nvidia-persistenced nvidia-modprobe firmware-nvidia-gsp; do double "$name"; done
echo 'deb [trusted=yes] copy:/srv/doubles ./' >/etc/apt/sources.list.d/doubles.list
"""
_SETTINGS = {"gpu": {"driver": "install", "spill": "allow"}}


@pytest.fixture(scope="module")
def bare_card(serving: Serving) -> Host:
    """A host that serves without a card, which somebody has put one into."""
    (host,) = serving.copies("light")
    host.run(_PACKAGES, input=_SMI)
    return put_into(host)


def test_beside_another_host_it_is_refused_with_the_command_for_it_alone(
    bare_card: Host, provision: Provision
) -> None:
    inventory = of({"light": (bare_card, _SETTINGS)})
    inventory["hosts"]["nobody"] = {"address": str(network.SUBNET[251])}
    ending = provision(inventory, "--data", "reboot=yes").endings["light"]
    assert "required  light alone in its run" in ending, ending
    assert "found     nobody in this run, too" in ending
    assert re.search(r"do        pyinfra --limit light --data reboot=yes \S+\.py deploy/venom\.py", ending)
    assert bare_card.run(["test", "-e", BLOCKED], check=False).returncode == 1


def test_a_card_gets_its_driver_by_one_reboot_and_the_run_goes_on(
    bare_card: Host, provision: Provision
) -> None:
    inventory = of({"light": (bare_card, _SETTINGS)})
    boot, served = bare_card.run(BOOT).stdout, bare_card.run(_CURRENT).stdout

    left = provision(inventory)
    assert left.status == 1, left.output
    assert re.search(
        r"required  a reboot, after which the host uses its card by driver 535\n"
        r" *found     the driver is installed, and no reboot was asked for\n"
        r" *do        reboot the host and run again; or run again with --data reboot=yes",
        left.endings["light"],
    ), left.endings["light"]
    assert (bare_card.run(BOOT).stdout, bare_card.run(_CURRENT).stdout) == (boot, served)
    assert "blacklist nouveau" in bare_card.run(["cat", BLOCKED]).stdout
    assert "Components: contrib non-free" in bare_card.run(["cat", SOURCES]).stdout

    with may_reboot(bare_card):
        gone_on = provision(inventory, "--data", "reboot=yes").check()
    assert "serves" in gone_on.endings["light"], gone_on.output
    assert "rebooted" in gone_on.endings["light"]
    assert bare_card.run(BOOT).stdout != boot
    assert bare_card.run(_CURRENT).stdout != served, "the card has another plan than the processors"

    assert provision(inventory, "--data", "reboot=yes").check().changed_operations == []


def test_status_names_the_cause_where_an_update_has_broken_the_driver(
    bare_card: Host, provision: Provision
) -> None:
    bare_card.run(f"rm {_MODULE}; {BOOT} >/var/lib/lab-card")
    status = provision(of({"light": (bare_card, _SETTINGS)}), deploy="deploy/status.py")
    assert status.status == 1, status.output
    assert "couldn't communicate with the NVIDIA driver" in status.output
    assert re.search(r"there is no module of NVIDIA's for kernel \S+, nor its headers", status.output)
    assert "serves, since" in status.output, "what else can be known is reported"
