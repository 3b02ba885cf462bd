"""A card in a host of the lab, as the kernel's list of devices shows it; no driver can use it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

from lab.hosts import Host

# A Tesla T4: also after a boot, before anybody can log in.
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
BOOT = "cat /proc/sys/kernel/random/boot_id"


def put_into(host: Host) -> Host:
    """The host, with one."""
    host.run(_CARD)
    return host


@contextmanager
def may_reboot(host: Host) -> Iterator[None]:
    """Meanwhile a host that goes down for a reboot is booted again: systemd-nspawn itself ends there."""
    ended = Event()

    def watch() -> None:
        while not ended.wait(0.5):
            if not host.up:
                host.start()

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield
        finally:
            ended.set()
            watching.result()
