"""A host with a card and no driver gets one: packages, a reboot that is asked for, and the run goes on.

The packages are doubles of Debian's, of a higher version: no host of the lab has a card, and the real
module takes minutes to build. They do what the run looks at: files, and the answer of nvidia-smi before and
after a boot.
"""

from __future__ import annotations

import re

import pytest

from lab.hosts import Host
from roles.driver.choice import BLOCKED
from roles.driver.sources import FILE as SOURCES
from tests.lab.conftest import Provision
from tests.lab.serving import Serving, of

_BOOT = "cat /proc/sys/kernel/random/boot_id"
_CURRENT = "readlink /etc/venom/generations/current"
_KERNEL = "6.1.0-99-amd64"
_MODULE = f"/lib/modules/{_KERNEL}/updates/dkms/nvidia-current.ko"
_SMI = f"""#!/bin/sh
[ "$({_BOOT})" != "$(cat /var/lib/lab-card)" ] || {{
    echo "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
    exit 9
}}
echo 'Tesla T4, 15360, 535.309.01, 7.5, [N/A]'
"""
# The kernel's list of devices, with a card in it: also after a boot.
_CARD = """
cat >/usr/local/sbin/lab-card <<'END'
#!/bin/sh
mount -t tmpfs tmpfs /sys/bus/pci/devices
mkdir -p /sys/bus/pci/devices/0000:01:00.0
cd /sys/bus/pci/devices/0000:01:00.0
echo 0x10de >vendor; echo 0x030000 >class; echo 0x1eb8 >device
END
chmod +x /usr/local/sbin/lab-card
cat >/etc/systemd/system/lab-card.service <<'END'
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/lab-card
[Install]
WantedBy=ssh.service
END
systemctl enable --now --quiet lab-card
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
mkdir -p linux-image-amd64/boot linux-headers-amd64/lib/modules/{_KERNEL}/build nvidia-smi/usr/bin
touch linux-image-amd64/boot/vmlinuz-{_KERNEL}
mkdir -p nvidia-kernel-dkms$(dirname {_MODULE}) nvidia-smi/DEBIAN
touch nvidia-kernel-dkms{_MODULE}
cat >nvidia-smi/usr/bin/nvidia-smi
printf '#!/bin/sh\\n{_BOOT} >/var/lib/lab-card\\n' >nvidia-smi/DEBIAN/postinst
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
    host.run(_CARD)
    host.run(_PACKAGES, input=_SMI)
    return host


def test_a_card_gets_its_driver_by_one_reboot_and_the_run_goes_on(
    bare_card: Host, provision: Provision
) -> None:
    inventory = of({"light": (bare_card, _SETTINGS)})
    boot, served = bare_card.run(_BOOT).stdout, bare_card.run(_CURRENT).stdout

    left = provision(inventory)
    assert left.status == 1, left.output
    assert re.search(
        r"required  a reboot, after which the host uses its card by driver 535\n"
        r" *found     the driver is installed, and no reboot was asked for\n"
        r" *do        reboot the host and run again; or run again with --data reboot=yes",
        left.endings["light"],
    ), left.endings["light"]
    assert (bare_card.run(_BOOT).stdout, bare_card.run(_CURRENT).stdout) == (boot, served)
    assert "blacklist nouveau" in bare_card.run(["cat", BLOCKED]).stdout
    assert "Components: contrib non-free" in bare_card.run(["cat", SOURCES]).stdout

    gone_on = provision(inventory, "--data", "reboot=yes").check()
    assert "serves" in gone_on.endings["light"], gone_on.output
    assert "rebooted" in gone_on.endings["light"]
    assert bare_card.run(_BOOT).stdout != boot
    assert bare_card.run(_CURRENT).stdout != served, "the card has another plan than the processors"

    assert provision(inventory, "--data", "reboot=yes").check().changed_operations == []


def test_status_names_the_cause_where_an_update_has_broken_the_driver(
    bare_card: Host, provision: Provision
) -> None:
    bare_card.run(f"rm {_MODULE}; {_BOOT} >/var/lib/lab-card")
    status = provision(of({"light": (bare_card, _SETTINGS)}), deploy="deploy/status.py")
    assert status.status == 1, status.output
    assert "couldn't communicate with the NVIDIA driver" in status.output
    assert re.search(r"there is no module of NVIDIA's for kernel \S+, nor its headers", status.output)
    assert "serves, since" in status.output, "what else can be known is reported"
