"""Somebody works on Venom on a host: what is changed in the tree is served, and production is left alone."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab import ssh
from lab.hosts import Host
from lab.state import REPOSITORY
from tests.lab import comparison, visitor
from tests.lab.conftest import Provision
from tests.lab.serving import Serving
from tests.lab.visitor import BACKEND, LIGHT, LLM_OFF, UI

_TREE = "/home/ada/Venom"
_STATE = "/var/lib/venom-development"
_WORK = {"tree": _TREE, "user": "ada"}
# An earlier generation is kept, to go back to.
_KEPT = {"/etc/venom/generations/(g|history)": "a host that has been elsewhere keeps one more"}


@pytest.fixture(scope="module")
def light(serving: Serving) -> Host:
    """The host `light` with a tree of Ada's on it."""
    host = serving.light
    host.run(f"useradd --create-home ada && install -d -o ada -g ada {_TREE}")
    made = ("node_modules", ".next", "__pycache__", "generated")
    pack = ["tar", "-C", str(REPOSITORY / "lab/venom"), *(f"--exclude={it}" for it in made), "-c", "."]
    unpack = [*ssh.command(host.address), f"runuser -u ada -- tar -C {_TREE} -x"]
    with subprocess.Popen(pack, stdout=subprocess.PIPE) as tar:
        subprocess.run(unpack, stdin=tar.stdout, check=True)
    return host


@pytest.fixture
def declared(serving: Serving) -> dict[str, Any]:
    """The inventory under which `light` serves from Ada's tree."""
    return serving.of_light(development=_WORK)


@pytest.fixture(scope="module")
def production(light: Host) -> dict[str, str]:
    """How `light` is before it serves from the tree."""
    return comparison.describe(light, left_out=_KEPT)


@pytest.fixture
def host(light: Host, production: dict[str, str], declared: dict[str, Any], provision: Provision) -> Host:
    """`light`, serving from Ada's tree."""
    provision(declared).check()
    return light


def test_a_change_in_the_tree_is_served_without_a_run(
    host: Host, declared: dict[str, Any], provision: Provision
) -> None:
    assert {name for name, _ in visitor.owners(host, LLM_OFF).values()} == {"ada"}
    before = visitor.processes(host, LIGHT)
    _change(host, "venom_core/main.py", '"component": "venom-core"', '"component": "core-of-ada"')
    _await_text(host, f"{BACKEND}/healthz", "core-of-ada")
    _change(host, "web-next/app/page.tsx", "<p>Cockpit</p>", "<p>Workbench</p>")
    _await_text(host, UI, "Workbench")
    assert provision(declared).check().changed_operations == []
    assert visitor.processes(host, LIGHT) == before


def test_what_is_done_there_touches_no_data_of_production(host: Host) -> None:
    before = visitor.files(host, "/var/lib/venom")
    assert visitor.chat(host, "Say yes.").status == "COMPLETED"
    update = {"updates": {"VENOM_THEME": "dark"}}
    assert visitor.fetch(host, f"{BACKEND}/api/v1/config/runtime", update).status == 200
    assert "VENOM_THEME=dark" in host.read(f"{_STATE}/venom.env")
    assert host.run(f"stat -c '%a %U' {_STATE} {_STATE}/venom.env").stdout == "700 ada\n600 ada\n"
    assert host.run(f"find {_STATE}/data -type f").stdout != ""
    assert visitor.files(host, "/var/lib/venom") == before


def test_a_stop_frees_the_ports_and_a_second_start_is_none(host: Host) -> None:
    _stop(host)
    assert not visitor.listening(host) & {"127.0.0.1:8000", "127.0.0.1:3000"}
    assert host.run(["systemctl", "is-failed", *LLM_OFF], check=False).stdout.split() == ["inactive"] * 2
    installed = f"stat -c %y {_TREE}/web-next/node_modules/.venom-packages"
    before = host.run(installed).stdout
    host.run("systemctl start venom.target")
    processes = visitor.processes(host, LIGHT)
    host.run("systemctl start venom.target")
    visitor.await_answer(host, f"{BACKEND}/healthz", UI, seconds=240)
    assert visitor.processes(host, LIGHT) == processes
    assert host.run(installed).stdout == before, "npm ci ran although nothing had changed"


def test_who_is_started_by_hand_keeps_the_port_and_is_named(
    host: Host, declared: dict[str, Any], provision: Provision
) -> None:
    _stop(host)
    with _by_hand(host) as pid:
        ending = provision(declared).endings["light"]
        assert "port 8000 free for backend" in ending
        assert f"held by python (process {pid}" in ending

        host.run("systemctl start venom.target")
        host.run("timeout 60 sh -c 'until systemctl is-failed --quiet venom-backend; do sleep 0.1; done'")
        journal = "journalctl --quiet --output=cat --lines=10 _SYSTEMD_UNIT=venom-backend.service"
        assert "port 8000 is in use" in host.run(journal).stdout
        restarts = host.run("systemctl show --property NRestarts --value venom-backend").stdout
        assert restarts.strip() == "0"
    host.run("systemctl start venom.target")
    visitor.await_answer(host, f"{BACKEND}/healthz", UI, seconds=240)


def test_going_back_restarts_backend_and_ui_and_leaves_the_data_alone(
    host: Host, production: dict[str, str], serving: Serving, provision: Provision
) -> None:
    before = visitor.processes(host, LIGHT)
    provision(serving.of_light()).check()
    after = visitor.processes(host, LIGHT)
    assert {unit for unit in LIGHT if after[unit] != before[unit]} == set(LLM_OFF)
    assert comparison.differences(production, comparison.describe(host, left_out=_KEPT)) == []
    left = host.run(f"ls -A {_STATE}").stdout.split()
    assert "data" in left
    assert "venom.env" not in left, "it holds the secrets"
    assert visitor.chat(host, "Say yes.").status == "COMPLETED"


@pytest.mark.parametrize(
    ("work", "found"),
    [
        ({"tree": _TREE, "user": "grace"}, "no such user"),
        ({"tree": "/home/ada/Elsewhere", "user": "ada"}, "no such directory"),
        ({"tree": "/etc/venom/generations", "user": "ada"}, "a directory that ada cannot enter"),
    ],
)
def test_a_tree_that_cannot_serve_is_refused(
    light: Host, serving: Serving, provision: Provision, work: dict[str, str], found: str
) -> None:
    before = visitor.processes(light, LIGHT)
    refused = provision(serving.of_light(development=work))
    assert refused.status == 1
    assert f"found     {found}" in refused.endings["light"]
    assert visitor.processes(light, LIGHT) == before


@contextmanager
def _by_hand(host: Host) -> Iterator[int]:
    """Ada starts the backend in a shell of hers; gives its process id."""
    python = "/opt/venom/current/venv/bin/python"
    line = f"cd && exec {python} -m uvicorn venom_core.main:app --app-dir {_TREE} --port 8000"
    host.run(f"setsid runuser -u ada -- sh -c '{line}' >/dev/null 2>&1 </dev/null & true")
    visitor.await_answer(host, f"{BACKEND}/healthz")
    pid = int(host.run("pgrep --exact --uid ada python").stdout)
    yield pid
    host.run(f"kill {pid} && timeout 60 sh -c 'while kill -0 {pid} 2>/dev/null; do sleep 0.1; done'")


def _change(host: Host, file: str, before: str, after: str) -> None:
    """Change a file as an editor does."""
    text = host.read(f"{_TREE}/{file}")
    assert before in text
    host.run(f"runuser -u ada -- tee {_TREE}/{file} >/dev/null", input=text.replace(before, after))


def _await_text(host: Host, url: str, text: str) -> None:
    """Return once the answer holds the text; fails after two minutes."""
    look = f"curl --silent --max-time 10 {url} | grep -q {text}"
    host.run(f"timeout 120 sh -c 'until {look}; do sleep 0.2; done'")


def _stop(host: Host) -> None:
    """Stop everything and wait until it has stopped: the target does not wait for its units."""
    host.run("systemctl stop venom.target")
    states = f"systemctl is-active {' '.join(LLM_OFF)} | sort -u"
    host.run(f"""timeout 60 sh -c 'until [ "$({states})" = inactive ]; do sleep 0.1; done'""")
