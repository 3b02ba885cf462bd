"""What somebody else has on a host is reported before the first change, all at once, and stays as it was.

The host has no python3 at first. It has been lived in: an Ollama by the official installer, an operator
who is called like our user, a Venom that was cloned by hand, a shop that is served on port 80.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.hosts import Host
from tests.lab import provisioning, visitor
from tests.lab.conftest import LabHost, Provision
from tests.lab.serving import BARE, of

# As the official installer leaves it, with models that a user has pulled; and what others have where ours
# would be.
_LIVED_IN = """
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get install -qq --no-install-recommends nginx nftables >/dev/null
useradd --system --shell /bin/false --user-group --create-home --home-dir /usr/share/ollama ollama
useradd --create-home --shell /bin/bash venom
usermod --append --groups ollama venom
install -d -m 0700 -o venom /home/venom/.ssh
install -m 0600 -o venom /root/.ssh/authorized_keys /home/venom/.ssh/
cat >/etc/systemd/system/ollama.service <<'UNIT'
[Unit]
Description=Ollama Service
[Service]
ExecStart=/bin/sleep infinity
User=ollama
[Install]
WantedBy=default.target
UNIT
install -D /dev/stdin /etc/systemd/system/ollama.service.d/override.conf <<'UNIT'
[Service]
Environment=OLLAMA_HOST=0.0.0.0
UNIT
systemctl enable --quiet --now ollama.service
install -D /dev/null /opt/venom/venom_core/main.py
install -D /dev/null /opt/ollama/bin/ollama
install -D /dev/null /var/lib/ollama/models/blobs/of-somebody
mkdir -p /usr/local/share/ca-certificates
echo 'the certificate of a snake farm' >/usr/local/share/ca-certificates/venom-operator.crt
echo '[Unit]' >/etc/systemd/system/venom.target
echo 'server { listen 80; root /srv/shop; }' >/etc/nginx/sites-enabled/shop
echo '# of a snake farm' >/etc/nginx/conf.d/venom.conf
install -D /dev/stdin /srv/shop/index.html <<'PAGE'
a shop
PAGE
systemctl reload nginx
nft add table inet venom
"""

# Requirement → what was found, of each.
_FOUND = {
    "no ollama.service of somebody else's": "/etc/systemd/system/ollama.service",
    "no /etc/systemd/system/venom.target of somebody else's": "a file that the provisioner did not write",
    "no /usr/local/share/ca-certificates/venom-operator.crt of somebody else's": "a file that ",
    "no /etc/nginx/conf.d/venom.conf of somebody else's": "a file that the provisioner did not write",
    "no /opt/venom of somebody else's": "a folder of root's with venom_core, on a host without a trace",
    "no /opt/ollama of somebody else's": "a folder of root's with bin, on a host",
    "no /var/lib/ollama of somebody else's": "a folder of root's with models, on a host",
    "no user or group venom of somebody else's": "uid 100., gid 100., shell /bin/bash, home /home/venom",
    "no user or group ollama of somebody else's": "home /usr/share/ollama, others in its group: venom",
    "port 80 for the door alone": r"another site of nginx listens there: /etc/nginx/sites-enabled/shop",
    "no table inet venom of somebody else's in the packet filter": "there is one",
}


@dataclass(frozen=True)
class LivedIn:
    """The host, its files before the first run, and what its operator read without and with python3."""

    host: Host
    before: str
    endings: Mapping[str, str]


@pytest.fixture(scope="module")
def lived_in(upstream: None, module_host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> LivedIn:
    """A bare host with all of it, and two runs: before and after somebody has installed python3."""
    host = module_host()
    host.run(_LIVED_IN)
    assert host.run("command -v python3 /usr/bin/python3", check=False).stdout == ""
    before = visitor.files(host, *BARE)
    inventory = provisioning.inventory(
        tmp_path_factory.mktemp("foreign"), of({"box": (host, {"door": {"firewall": True}})})
    )
    without = provisioning.run(inventory)
    assert "Traceback" not in without.output
    assert visitor.files(host, *BARE) == before
    host.run("DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends python3 >/dev/null")
    return LivedIn(
        host, before, {"without": without.endings["box"], "with": provisioning.run(inventory).endings["box"]}
    )


@pytest.mark.parametrize("requirement", _FOUND)
def test_what_is_somebody_elses_is_reported_although_the_host_has_no_python3(
    lived_in: LivedIn, requirement: str
) -> None:
    ending = lived_in.endings["without"]
    assert ending.startswith("failed at: Refused before the first change")
    assert re.search(
        f"^required  {re.escape(requirement)}.*\nfound     {_FOUND[requirement]}.*\ndo        .",
        ending,
        re.MULTILINE,
    ), ending


def test_nothing_else_is_reported_and_a_python3_makes_no_difference(lived_in: LivedIn) -> None:
    assert lived_in.endings["without"].count("required  ") == len(_FOUND)
    assert lived_in.endings["with"] == lived_in.endings["without"]


def test_what_is_there_goes_on(lived_in: LivedIn) -> None:
    host = lived_in.host
    assert host.run("systemctl is-active ollama.service").stdout == "active\n"
    assert host.run("id -un", user="venom").stdout == "venom\n"
    # It has no curl.
    get = 'exec 3<>/dev/tcp/127.0.0.1/80; printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3; tail -n 1 <&3'
    assert host.run(["bash", "-c", get]).stdout == "a shop\n"


# What is broken on a host, how it is mended, and what is reported of it.
_BROKEN = {
    "python": (
        "printf '#!/bin/sh\\necho no libpython >&2; exit 127\\n' | install /dev/stdin /usr/bin/python3",
        "rm /usr/bin/python3",
        ("required  the distribution's python3, where there is one", "found     no libpython"),
    ),
    "packages": (
        "cp /var/lib/dpkg/status /root/; echo nonsense >>/var/lib/dpkg/status",
        "cp /root/status /var/lib/dpkg/status",
        ("required  a database of packages that can be read", "found     dpkg-query: error: parsing file"),
    ),
    "folder": (
        "ln -s /mnt/disk/ollama /var/lib/ollama",
        "rm /var/lib/ollama",
        ("required  a folder /var/lib/ollama", "found     a link to /mnt/disk/ollama, which is no folder"),
    ),
}


def test_what_cannot_be_looked_at_is_reported_and_never_taken_for_absent(
    lab_host: LabHost, provision: Provision, tmp_path: Path
) -> None:
    host = lab_host(13)
    # Without apt's own cache, which it makes anew after each change of the database of packages.
    folders = [it for it in BARE if it != "/var/cache"]
    for broken, mended, texts in _BROKEN.values():
        host.run(broken)
        before = visitor.files(host, *folders)
        result = provision(of({"box": (host, {})}))
        assert result.status != 0
        for text in texts:
            assert text in result.endings["box"], result.endings["box"]
        assert "Traceback" not in result.output
        assert visitor.files(host, *folders) == before
        host.run(mended)
