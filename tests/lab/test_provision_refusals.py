"""A host that cannot become what it is to be is refused before its first change, with the reason.

All hosts of this module are bare, each has one thing wrong with it, and one run meets them all.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab import fleet
from lab.hosts import Host
from lab.state import REPOSITORY
from tests.lab import provisioning, visitor
from tests.lab.conftest import LabHost, Provision
from tests.lab.provisioning import Result
from tests.lab.serving import BARE, of, ssh

_LOGIN = """
    useradd --create-home {user}
    install -d -m 0700 -o {user} /home/{user}/.ssh
    install -m 0600 -o {user} /root/.ssh/authorized_keys /home/{user}/.ssh/
"""


@dataclass(frozen=True)
class Case:
    """What is wrong with a host or asked of it, and what its operator reads (patterns, in order)."""

    expected: tuple[str, ...]
    setup: str = ""  # a command line for the bare host
    nvidia_smi: str = ""  # what a stand-in for it prints
    settings: Mapping[str, Any] = field(default_factory=dict)
    lacking: str = ""  # a file that its Venom has not
    airgapped: bool = False
    debian: int = 12


_CASES = {
    "old-debian": Case(
        setup="sed -i 's/^VERSION_ID=.*/VERSION_ID=\"11\"/' /etc/os-release",
        expected=("required  one of Debian 12, Debian 13", "found     debian 11", "do        install one"),
    ),
    "wrong-clock": Case(
        # All hosts of the lab have the clock of this machine.
        setup='printf \'#!/bin/sh\\nexec /usr/bin/date --date="365 days" "$@"\\n\' >/usr/local/bin/date;'
        " chmod +x /usr/local/bin/date",
        expected=(
            "required  a clock that differs from this machine's by at most 5 minutes",
            "found     20.* UTC; here it is 20.* UTC",
            "do        set the one that is wrong: timedatectl",
        ),
    ),
    "full-disk": Case(
        setup="mount -t tmpfs -o size=200m tmpfs /opt",
        debian=13,
        expected=("required  [0-9.]+ GB free on /opt", "found     0.2 GB", "do        free some"),
    ),
    "no-source": Case(
        airgapped=True,
        settings={"mirrors": {"files": ["http://10.77.0.1:9"]}},
        expected=(
            "required  a source of ollama [0-9.]+ that answers",
            "found     no answer from 10.77.0.1:9, github.com:443",
            "required  a source of python [0-9.]+ that answers",
            "required  a source of node [0-9.]+ that answers",
            "do        check the host's network, or name a mirror",
            "required  a source of Debian packages that answers, and has .*nginx",
            "found     /etc/apt/sources.list:1: deb ",
            "do        check the host's network; put a # before the line",
        ),
    ),
    "silent-proxy": Case(
        airgapped=True,
        settings={"proxy": {"url": "http://10.77.0.1:9"}},
        expected=(
            "required  the proxy http://10.77.0.1:9 .proxy.url. that answers",
            "found     no connection from the host",
            "do        check its address",
        ),
    ),
    "held-package": Case(
        setup="apt-mark hold nginx",
        debian=13,
        expected=(
            "required  packages that apt can install: .*nginx",
            "found     on hold: nginx",
            "do        apt-mark unhold nginx",
        ),
    ),
    "gone-source": Case(
        # One that answers does not have it all, one is gone, one is a disc.
        setup="sed -i 's/ bookworm main/ nosuchsuite main/' /etc/apt/sources.list;"
        " echo 'deb cdrom:[Debian 12 _Bookworm_]/ bookworm main' >/etc/apt/sources.list.d/disc.list",
        expected=(
            "required  a source of Debian packages that answers, and has .*python3",
            "found     /etc/apt/sources.list:1: deb .* nosuchsuite main",
            "404",
            "/etc/apt/sources.list.d/disc.list:1: deb cdrom:",
            "do        check the host's network; put a # before the line of a source that is gone for good",
        ),
    ),
    "no-room": Case(
        setup="mount -t tmpfs -o size=2m tmpfs /var/cache/apt/archives",
        expected=(
            "required  [0-9]+ MB free on /var/cache/apt/archives for Debian packages",
            "found     2 MB",
            "do        free some space .apt-get clean.",
        ),
    ),
    "no-root": Case(
        setup=_LOGIN.format(user="plain"),
        settings={"ssh": ssh(user="plain", sudo=False)},
        expected=("required  root on the host", "found     user id [1-9]", "do        set `ssh.user: root`"),
    ),
    "no-sudo": Case(
        setup=_LOGIN.format(user="plain"),
        debian=13,
        settings={"ssh": ssh(user="plain", sudo=True)},
        expected=(
            "required  root on the host",
            "found     .*sudo: not found",
            "do        set `ssh.user: root`",
        ),
    ),
    "big-model": Case(
        nvidia_smi="NVIDIA GeForce RTX 3070, 8192, 550.54.14, 8.6",
        settings={"model": "gemma3:12b", "vram_tier": "auto"},
        expected=(
            "required  .*at most 8.00 GiB: the VRAM of NVIDIA GeForce RTX 3070",
            "found     gemma3:12b .*needs 9.55 GiB",
            "do        the largest that fits: model: gemma3:4b",
        ),
    ),
    "shared-memory": Case(
        # A card is taken although nvidia-smi warns and reports no memory: what is wrong is its driver alone.
        nvidia_smi="WARNING: infoROM is corrupted at gpu 000F:01:00.0\nNVIDIA GB10, [N/A], 470.82.01, 12.1",
        expected=("required  NVIDIA driver 531 or later for Ollama", r"found     470.82.01 \(NVIDIA GB10\)"),
    ),
    "old-driver": Case(
        nvidia_smi="Tesla T4, 15360, 470.82.01, 7.5",
        debian=13,
        expected=(
            "required  NVIDIA driver 531 or later for Ollama 0.24.0",
            r"found     470.82.01 \(Tesla T4\)",
            "do        install a newer driver",
        ),
    ),
    "broken-driver": Case(
        nvidia_smi="Failed to initialize NVML: Driver/library version mismatch",
        expected=(
            "required  an NVIDIA card that its driver can use",
            "found     Failed to initialize NVML: Driver/library version mismatch",
            "do        reboot, if the driver was upgraded; dkms status and dmesg",
        ),
    ),
    "contradiction": Case(
        settings={"profile": "full", "requirements": {"tier": "onnx"}},
        expected=(
            "required  requirements that can be resolved .tier onnx",
            r"found     transformers>=5.0.0,<6.0.0 \(requirements-profile-onnx.txt:5\) and "
            r"transformers>=4.57.6,<5.0.0 \(constraints-hf-onnx.txt:2\) exclude each other",
            "do        loosen one of these lines in Venom's source",
        ),
    ),
    "no-file": Case(
        lacking="requirements-profile-web.txt",
        settings={"requirements": {"tier": "web"}},
        expected=(
            "required  requirements-profile-web.txt in Venom's source",
            "found     no such file in ",
            "do        choose a tier that this release has",
        ),
    ),
    "no-secret": Case(
        settings={"secrets": {"HF_TOKEN": "command:false"}},
        expected=(
            "required  the secret HF_TOKEN from command:false",
            "found     CalledProcessError",
            "do        run the reference by hand",
        ),
    ),
}


@dataclass(frozen=True)
class Refused:
    """The run that met all cases, and each host's files before it."""

    hosts: Mapping[str, Host]
    before: Mapping[str, str]
    result: Result


@pytest.fixture(scope="module")
def refused(upstream: None, module_host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Refused:
    """Boot a host a case, spoil it, run the main job once against all of them."""
    folder = tmp_path_factory.mktemp("refused")
    hosts: dict[str, tuple[Host, dict[str, Any]]] = {}
    for name, case in _CASES.items():
        host = module_host(case.debian, airgapped=case.airgapped)
        if case.setup:
            host.run(f"set -e; {case.setup}")
        if case.nvidia_smi:
            script = f"#!/bin/sh\necho '{case.nvidia_smi}'\n"
            host.put(script, "/usr/local/bin/nvidia-smi", mode="0755")
        settings = dict(case.settings)
        if case.lacking:
            settings["venom"] = {"tree": str(_tree_without(case.lacking, folder))}
        hosts[name] = (host, settings)
    before = {name: visitor.files(host, *BARE) for name, (host, _) in hosts.items()}
    result = provisioning.run(provisioning.inventory(folder, of(hosts)))
    return Refused({name: host for name, (host, _) in hosts.items()}, before, result)


@pytest.mark.parametrize("name", _CASES)
def test_a_host_that_cannot_work_is_reported_with_why_and_what_to_do(refused: Refused, name: str) -> None:
    ending = refused.result.endings[name]
    assert ending.startswith(("failed at: Refused before the first change", "was not reached"))
    place = 0
    for pattern in _CASES[name].expected:
        match = re.compile(pattern).search(ending, place)
        assert match, f"{pattern!r} is not in\n{ending[place:]}"
        place = match.end()


@pytest.mark.parametrize("name", _CASES)
def test_a_host_that_is_refused_stays_as_it_was(refused: Refused, name: str) -> None:
    assert [op for host, op in refused.result.changed_operations if host == name] == []
    assert visitor.files(refused.hosts[name], *BARE) == refused.before[name]


def test_the_run_fails_without_a_traceback(refused: Refused) -> None:
    assert refused.result.status != 0
    assert "Traceback" not in refused.result.output
    assert set(refused.result.endings) == set(_CASES)


def test_a_login_with_a_key_that_the_host_does_not_know_is_named(
    lab_host: LabHost, provision: Provision
) -> None:
    host = lab_host()
    host.run("echo >/root/.ssh/authorized_keys")
    result = provision(of({"stranger": (host, {})}))
    assert result.status != 0
    key = fleet.default()["defaults"]["ssh"]["key"]
    assert re.search(rf"required  a login by key on stranger: root@{host.address} port 22", result.output)
    assert f"found     sshd refused root with {key}" in result.output
    assert "Traceback" not in result.output


def test_every_mistake_of_an_inventory_is_reported_at_once_before_any_connection(tmp_path: Path) -> None:
    text = """\
defaults:
  profile: off
  model: gemma3:5b
  vram_tier: balanced
hosts:
  a: {address: 10.77.0.251, colour: red}
  b: {address: 10.77.0.251, ports: {ui: eighty}, environment: {OLLAMA_KV_CACHE: q8_0}}
"""
    (tmp_path / "bad.yaml").write_text(text)
    shutil.copyfile(fleet.INVENTORY, tmp_path / "bad.py")
    result = provisioning.run(tmp_path / "bad.py")
    assert result.status != 0
    assert "Traceback" not in result.output
    assert "Connecting to hosts" not in result.output
    for line, mistake in (
        (2, "defaults.profile"),
        (3, "defaults.model"),
        (4, "defaults.vram_tier"),
        (6, "hosts.a.colour"),
        (7, "hosts.b.ports.ui"),
        (7, "hosts.b.environment.OLLAMA_KV_CACHE"),
    ):
        assert f"{tmp_path}/bad.yaml:{line}  {mistake}" in result.output
    assert "OLLAMA_KV_CACHE_TYPE" in result.output, "the nearest name that there is"


def _tree_without(name: str, folder: Path) -> Path:
    """A copy of the small Venom that lacks a file."""
    tree = folder / "venom"
    shutil.copytree(REPOSITORY / "lab" / "venom", tree)
    (tree / name).unlink()
    return tree
