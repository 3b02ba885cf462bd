"""A card in a host of the lab, as the kernel's list of devices shows it; no driver can use it."""

from __future__ import annotations

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
