"""Debian's real driver on a host of the lab: its module is built, and cannot be loaded without a card.

The host runs the machine's kernel. The module is built for Debian's, which the run installs beside it: that
takes minutes, so this is of `script/test --all`.
"""

from __future__ import annotations

import re

import pytest

from roles.driver.choice import BLOCKED
from roles.driver.sources import FILE as SOURCES
from tests.lab.card import BOOT, may_reboot, put_into
from tests.lab.conftest import LabHost, Provision
from tests.lab.serving import of

_BUILT = "find /lib/modules/*-amd64/updates/dkms -name 'nvidia-current.ko*'"
_PACKAGES = "dpkg-query --show --showformat '${binary:Package} ${Version} ${db:Status-Status}\\n'"


@pytest.mark.thorough
def test_debians_module_is_built_and_a_card_that_cannot_be_used_after_the_reboot_is_refused(
    lab_host: LabHost, provision: Provision
) -> None:
    host = put_into(lab_host())
    inventory = of({"box": (host, {"gpu": {"driver": "install"}})})
    own = host.run("cat /etc/apt/sources.list; ls -A /etc/apt/sources.list.d").stdout

    left = provision(inventory)
    assert "required  a reboot, after which the host uses its card by driver 535" in left.endings["box"]
    assert len(host.run(_BUILT).stdout.split()) == 1
    assert re.fullmatch(
        r"nvidia-current/535\S+, 6\.1\.\S+-amd64, x86_64: installed\n", host.run("dkms status").stdout
    )
    installed = host.run(_PACKAGES).stdout
    assert re.search(r"^nvidia-smi 535\.\S+ installed$", installed, re.M)
    assert not re.search(r"^(xserver-xorg|xorg|libgl1|nvidia-driver)\S* ", installed, re.M), "no screen"
    assert "Components: contrib non-free non-free-firmware" in host.read(SOURCES)
    host.run(f"lsinitramfs /boot/initrd.img-* | grep -qx {BLOCKED.removeprefix('/')}")
    ours = SOURCES.rpartition("/")[2]
    assert (
        host.run(f"cat /etc/apt/sources.list; ls -A /etc/apt/sources.list.d | grep -vx {ours}; true").stdout
        == own
    )

    boot = host.run(BOOT).stdout
    with may_reboot(host):
        gone_on = provision(inventory, "--data", "reboot=yes")
    assert ("box", "Driver") not in gone_on.changed_operations, "the second run installs nothing"
    assert host.run(BOOT).stdout != boot
    assert "required  an NVIDIA card that its driver can use" in gone_on.endings["box"]
    assert "couldn't communicate with the NVIDIA driver" in gone_on.endings["box"]
    assert host.run(_PACKAGES).stdout == installed
