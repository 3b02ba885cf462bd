"""Full disks, mirrors that lie, and what starts but does not serve: each is reported, and the old serves on.

The hosts are copies of one that serves. Each round is one run against all of them, each with a fault of
its own; the round after it mends some of them and breaks others.
"""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.hosts import Host
from tests.lab import provisioning, visitor
from tests.lab.mirror import mirror
from tests.lab.provisioning import Result
from tests.lab.serving import Serving, of
from tests.lab.visitor import BACKEND, LIGHT, OLLAMA, UI

_NEW = "0.32.15"
_HEALTH = '    return {"status": "ok", "component": "venom-core"}'
# Says what it is, and does not serve.
_SILENT = """#!/bin/sh
if [ "$1" = serve ]; then echo 'no driver for this card' >&2; exit 3; fi
echo 'ollama version is 9.9.9'
"""


@dataclass(frozen=True)
class Round:
    """One run against all hosts."""

    result: Result
    before: Mapping[str, Mapping[str, int]]  # processes by host

    def reports(self, name: str, *texts: str) -> None:
        """That the end of the run says all this of the host, without a traceback."""
        ending = self.result.endings[name]
        for text in texts:
            assert re.search(text, ending), f"{text!r} is not in:\n{ending}"
        assert "Traceback" not in self.result.output

    def untouched(self, name: str, host: Host, *units: str) -> None:
        """That the host serves as before, by the same processes, and nothing half-made is left there."""
        now = visitor.processes(host, LIGHT)
        assert {unit: now[unit] for unit in units or LIGHT} == {
            unit: self.before[name][unit] for unit in units or LIGHT
        }
        for url in (f"{BACKEND}/healthz", f"{UI}/", f"{OLLAMA}/api/version"):
            assert visitor.fetch(host, url).status == 200
        assert visitor.parts(host) == ""


@pytest.fixture(scope="module")
def hosts(serving: Serving) -> dict[str, Host]:
    """Four copies of a host that serves, named after what befalls them first."""
    names = ("unpack", "build", "silent", "unwell")
    return dict(zip(names, serving.copies(*["light"] * 4), strict=True))


@pytest.fixture(scope="module")
def first(hosts: dict[str, Host], tmp_path_factory: pytest.TempPathFactory) -> Round:
    """Two disks that fill up, an Ollama that does not start, a backend that never gets healthy."""
    folder = tmp_path_factory.mktemp("first")
    hosts["unpack"].run(
        "cp -a /opt/ollama /root/ && mount -t tmpfs -o size=4g,mode=755 tmpfs /opt/ollama"
        " && cp -a /root/ollama/. /opt/ollama/"
    )
    _shrinks(hosts["unpack"], "/opt/ollama", "ollama", "$(($(du -sm /opt/ollama | cut -f1) + 30))m")
    hosts["build"].run(
        "mount -t tmpfs -o size=8g,mode=755 tmpfs /var/cache/venom-build &&"
        " install -d -m 0700 -o venom-build -g venom-build /var/cache/venom-build/home"
    )
    _shrinks(hosts["build"], "/var/cache/venom-build", "ui", "150m")
    archive = _silent_ollama(folder)
    with mirror(lambda path: archive if path == "/ollama.tar.zst" else None) as address:
        artifact = {"url": f"{address}/ollama.tar.zst", "sha256": hashlib.sha256(archive).hexdigest()}
        settings: dict[str, dict[str, Any]] = {
            "unpack": {"ollama": {"version": _NEW}},
            "build": {"venom": {"tree": str(_other_page(folder, "build"))}},
            "silent": {"ollama": {"version": "9.9.9", "artifact": {**artifact, "size": len(archive)}}},
            "unwell": {
                "venom": {"tree": str(_other_health(folder, "unwell", '    raise HTTPException(503, "no")'))},
                "ready_timeout": 12,
            },
        }
        return _round(hosts, settings, folder)


def _shrinks(host: Host, folder: str, job: str, size: str) -> None:
    """Somebody else takes the room of a file system that the preflight saw, as soon as the job has begun."""
    host.run(f'echo "{size}" >/run/{job}-size')
    begun = f"systemctl is-active --quiet venom-job-{job}.service"
    shrink = f"mount -o remount,size=$(cat /run/{job}-size) {folder}"
    host.run(["systemd-run", "--quiet", "sh", "-c", f"until {begun}; do sleep 0.02; done; {shrink}"])


def test_a_disk_that_fills_while_an_archive_is_unpacked_is_reported_with_its_folder_and_sizes(
    first: Round, hosts: dict[str, Host]
) -> None:
    first.reports(
        "unpack",
        f"Ollama {_NEW} failed; what it made is not in place",
        "required  more room in /opt/ollama: it is on /opt/ollama, a file system of [0-9]+ MB",
        "found     [0-7] MB free; the [0-9]+ MB of unfinished work are deleted now",
        "do        free some space there, or enlarge it, and run again",
    )
    first.untouched("unpack", hosts["unpack"])
    assert _NEW not in hosts["unpack"].run("ls /opt/ollama /var/cache/venom").stdout


def test_a_disk_that_fills_during_a_build_is_reported_with_its_folder_and_sizes(
    first: Round, hosts: dict[str, Host]
) -> None:
    first.reports(
        "build",
        "UI build failed",
        "required  more room in /var/cache/venom-build: it is on .*, a file system of 150 MB",
        "do        free some space there, or enlarge it",
    )
    first.untouched("build", hosts["build"])
    assert hosts["build"].run("ls -A /var/cache/venom-build").stdout == "home\n"


def test_an_ollama_that_does_not_start_is_taken_back_with_its_words(
    first: Round, hosts: dict[str, Host]
) -> None:
    first.reports(
        "silent",
        r"Ollama \(ollama.service\) does not serve: its process ends again and again",
        "no driver for this card",
        "What served before serves again",
    )
    first.untouched("silent", hosts["silent"], "venom-ui.service")
    assert visitor.chat(hosts["silent"], "Which one are you?").status == "COMPLETED"


def test_a_release_that_never_gets_healthy_is_taken_back_after_its_time(
    first: Round, hosts: dict[str, Host]
) -> None:
    first.reports(
        "unwell",
        r"Backend \(venom-backend.service\) does not serve: no answer from .*/healthz within 12 s",
        "(503|Service Unavailable)",
        "GET /healthz",
        "What served before serves again",
    )
    first.untouched("unwell", hosts["unwell"], "venom-ui.service", "ollama.service")


@pytest.fixture(scope="module")
def second(first: Round, hosts: dict[str, Host], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Round]:
    """Room on the two disks; a registry of npm packages that lies; a backend that dies after a while."""
    folder = tmp_path_factory.mktemp("second")
    hosts["unpack"].run("umount --lazy /opt/ollama")
    hosts["build"].run("umount --lazy /var/cache/venom-build")
    with mirror(lambda path: b"not what was asked for") as address:
        settings: dict[str, dict[str, Any]] = {
            "unpack": {"ollama": {"version": _NEW}},
            "build": {"venom": {"tree": str(_other_page(folder, "build"))}},
            "silent": {
                "venom": {"tree": str(_other_page(folder, "silent"))},
                "mirrors": {"npm": address},
            },
            "unwell": {"venom": {"tree": str(_dying(folder / "unwell"))}},
        }
        yield _round(hosts, settings, folder)


def test_a_run_on_a_disk_with_room_again_completes(second: Round, hosts: dict[str, Host]) -> None:
    for name in ("unpack", "build"):
        assert "serves" in second.result.endings[name], second.result.endings[name]
        assert visitor.parts(hosts[name]) == ""
    assert visitor.fetch(hosts["unpack"], f"{OLLAMA}/api/version").json()["version"] == _NEW
    assert "Venom, build" in visitor.fetch(hosts["build"], f"{UI}/").body


def test_a_registry_that_answers_nonsense_is_reported_with_the_package(
    second: Round, hosts: dict[str, Host]
) -> None:
    second.reports("silent", "UI build failed", "http://10.77.0.1:[0-9]+/[@a-z]+")
    assert "pam_unix" not in second.result.endings["silent"]
    second.untouched("silent", hosts["silent"])


def test_an_index_that_sends_other_bytes_is_reported_with_the_package_and_both_digests(
    second: Round, hosts: dict[str, Host], tmp_path: Path
) -> None:
    host = hosts["silent"]
    venv = host.run("readlink -f /opt/venom/current/venv").stdout.strip()
    versions = dict(re.findall(r"^([a-z0-9-]+)==([^ ]+)", host.read(f"{venv}.lock"), re.MULTILINE))
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("other.py", "print('not what was asked for')")

    def index(path: str) -> bytes:
        name = path.strip("/").rpartition("/")[2]
        file = f"{name.replace('-', '_')}-{versions.get(name)}-py3-none-any.whl"
        return f'<a href="/{file}">{file}</a>'.encode() if path.endswith("/") else wheel.getvalue()

    host.run(["mv", venv, "/root/venv"])
    with mirror(index) as address:
        one = _round({"silent": host}, {"silent": {"mirrors": {"pypi": f"{address}/simple"}}}, tmp_path)
    one.reports(
        "silent", "Backend packages failed", "Hash mismatch for `[a-z0-9-]+==[0-9.]+`", "Computed:\n *sha256:"
    )
    one.untouched("silent", host)
    host.run(["mv", "/root/venv", venv])


def test_a_service_that_ends_again_and_again_after_the_switch_is_reported_by_the_next_run(
    second: Round, hosts: dict[str, Host], tmp_path: Path
) -> None:
    assert "serves" in second.result.endings["unwell"], second.result.endings["unwell"]
    host = hosts["unwell"]
    restarts = "systemctl show --property NRestarts --value venom-backend"
    host.run(f'until [ "$({restarts})" -ge 2 ]; do sleep 0.5; done', timeout=60)
    settings = {"venom": {"tree": str(_dying(tmp_path / "unwell"))}}
    result = provisioning.run(provisioning.inventory(tmp_path, of({"unwell": (host, settings)}))).check()
    ending = result.endings["unwell"]
    assert re.search(
        r"Backend had ended by itself; systemd started it again [2-9] times, and .*\(.*UTC\)", ending
    ), ending
    assert "journalctl -u venom-backend.service shows why" in ending


# -- what the rounds are made of --------------------------------------------------------------------


def _round(hosts: Mapping[str, Host], settings: Mapping[str, dict[str, Any]], folder: Path) -> Round:
    before = {name: visitor.processes(host, LIGHT) for name, host in hosts.items()}
    declared = of({name: (host, settings[name]) for name, host in hosts.items()})
    return Round(provisioning.run(provisioning.inventory(folder, declared)), before)


def _other_page(folder: Path, name: str) -> Path:
    return _changed(folder / name, "web-next/app/page.tsx", "<h1>Venom</h1>", f"<h1>Venom, {name}</h1>")


def _other_health(folder: Path, name: str, body: str) -> Path:
    return _changed(folder / name, "venom_core/main.py", _HEALTH, body)


def _dying(tree: Path) -> Path:
    """A Venom that serves for five seconds."""
    warming = "    warming = asyncio.create_task(startup.warm_up())\n"
    dies = '    asyncio.get_running_loop().call_later(5, __import__("os")._exit, 7)\n'
    return _changed(tree, "venom_core/main.py", warming, warming + dies)


def _changed(tree: Path, path: str, before: str, after: str) -> Path:
    file = provisioning.own_venom(tree) / path
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")
    return tree


def _silent_ollama(folder: Path) -> bytes:
    program = folder / "silent" / "bin" / "ollama"
    program.parent.mkdir(parents=True)
    program.write_text(_SILENT)
    program.chmod(0o755)
    archive = folder / "ollama.tar.zst"
    tar = ["tar", "--create", "--zstd", f"--file={archive}", f"--directory={program.parents[1]}", "."]
    subprocess.run(tar, check=True)
    return archive.read_bytes()
