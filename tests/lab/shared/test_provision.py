"""The main job makes bare hosts serve Venom, whatever becomes of the others; a second run changes nothing."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from lab.hosts import Host
from lab.upstream_pins import PINS
from tests.lab import visitor
from tests.lab.conftest import LabHost, Provision
from tests.lab.serving import BARE, Serving, of
from tests.lab.visitor import BACKEND, LIGHT, LLM_OFF, OLLAMA, UI

# -- the first run ----------------------------------------------------------------------------------


def test_hosts_that_can_serve_do_although_others_of_the_run_cannot(serving: Serving) -> None:
    assert serving.first.status != 0, "two hosts of four failed"
    for name in ("light", "off"):
        assert "serves" in serving.first.endings[name], serving.first.output
    for host in (serving.light, serving.off):
        assert visitor.fetch(host, f"{BACKEND}/healthz").json()["status"] == "ok"
        assert visitor.fetch(host, f"{UI}/").status == 200


def test_the_end_says_what_was_changed_and_what_to_open(serving: Serving) -> None:
    ending = serving.first.endings["light"]
    assert re.search(r"^open http://\S+", ending, re.M)
    assert re.search(r"^installed .*\bcurl\b", ending, re.M), ending
    made = re.search(r"^made  (?:.*\n?)+", ending, re.M)
    assert made, ending
    assert re.search(r"Ollama 0.24.0 \([0-9]+ s, [0-9]+ MB downloaded\)", " ".join(made[0].split()))
    assert re.search(r"^started   Ollama, Backend, UI(, Door)?$", ending, re.M), ending
    ready = r"\[light\] +UI build: ready, [0-9]+ (s|min), [0-9]+ MB downloaded$"
    assert re.search(ready, serving.first.output, re.M), "long work ends with a line in the log"


def test_a_host_whose_port_is_taken_is_reported_with_who_has_it_and_stays_bare(serving: Serving) -> None:
    ending = serving.first.endings["taken"]
    assert "required  port 8000 free for backend" in ending
    assert re.search(r"found +held by perl \(process [0-9]+, unit somebody-else.service\)", ending)
    assert "do        stop it, or give backend another port" in ending
    assert [op for host, op in serving.first.changed_operations if host == "taken"] == []
    assert visitor.files(serving.taken, *BARE) == serving.taken_before


def test_a_host_that_is_not_there_is_named_with_its_address(serving: Serving) -> None:
    ending = serving.first.endings["nobody"]
    assert re.match(r"was not reached\nrequired +an SSH connection to nobody: .*10\.77\.0\.251", ending), (
        ending
    )
    assert re.search(r"^found +(no answer within|no route to host)", ending, re.M), ending
    assert "Traceback" not in serving.first.output


# -- what serves ------------------------------------------------------------------------------------


def test_a_chat_in_the_browser_is_answered_by_the_local_model(serving: Serving) -> None:
    chat = visitor.chat(serving.light, "What is a venom? Answer in one sentence.")
    assert chat.status == "COMPLETED", chat.result
    assert chat.result.strip()
    assert chat.events[0] == "task_update"
    assert chat.events[-1] == "task_finished"


@pytest.mark.parametrize("name", ["light", "off"])
def test_the_ui_serves_its_page_its_assets_and_its_public_files(serving: Serving, name: str) -> None:
    host = _host(serving, name)
    page = visitor.fetch(host, f"{UI}/")
    assert page.status == 200
    assets = re.findall(r'"(/_next/static/[^"]+\.(?:css|js))"', page.body)
    assert assets, page.body[:500]
    for asset in sorted(set(assets)):
        assert visitor.fetch(host, f"{UI}{asset}").status == 200, asset
    assert "<svg" in visitor.fetch(host, f"{UI}/grid.svg").body
    assert json.loads(visitor.fetch(host, f"{UI}/meta.json").body)["version"]


@pytest.mark.parametrize("name", ["light", "off"])
def test_the_ui_passes_the_api_on_and_the_websocket_speaks(serving: Serving, name: str) -> None:
    host = _host(serving, name)
    assert visitor.fetch(host, f"{UI}/api/v1/system/status").json()["version"]
    assert visitor.first_event(host)["type"] == "SYSTEM_LOG"


def test_light_serves_where_there_is_no_docker(serving: Serving) -> None:
    host = serving.light
    # The lab gives every host an empty folder of its own disk for what containers are made of.
    found = "command -v docker dockerd podman containerd; ls -d /run/docker.sock /var/lib/docker/* 2>&-"
    assert host.run(found, check=False).stdout == ""
    assert visitor.fetch(host, f"{BACKEND}/healthz").json()["status"] == "ok"


def test_a_venom_that_knows_no_env_file_finds_its_settings_all_the_same(serving: Serving) -> None:
    # Up to v1.6: from its working directory, and its panel from the code, each as the backend's user.
    found = serving.light.run(
        "runuser -u venom -- sh -c 'cd /var/lib/venom && for file in .env /opt/venom/current/source/.env; do"
        " test -w $file && grep ^LLM_MODEL_NAME= $file; done'"
    )
    assert found.stdout.splitlines() == ["LLM_MODEL_NAME=gemma3:270m"] * 2


def test_llm_off_has_nothing_of_ollama_and_says_why_it_cannot_chat(serving: Serving) -> None:
    host = serving.off
    assert host.run("systemctl list-unit-files --no-legend 'ollama*'", check=False).stdout == ""
    assert host.run("grep -l ollama /proc/[0-9]*/comm", check=False).stdout == ""
    # Only what every host has, so that none shows which profile it had before: two empty stores.
    found = host.run("find / -xdev -name 'ollama*' -not -path '/proc/*'").stdout.split()
    assert sorted(found) == ["/opt/ollama", "/var/lib/ollama"]
    assert host.run("find /opt/ollama /var/lib/ollama -type f").stdout == ""
    assert visitor.fetch(host, f"{BACKEND}/healthz").json()["status"] == "ok"
    chat = visitor.chat(host, "Is anybody there?")
    assert chat.status == "FAILED"
    assert "no local model server is active and no cloud key is set" in chat.result


def test_every_service_has_a_user_of_its_own_and_none_is_root(serving: Serving) -> None:
    owners = visitor.owners(serving.light, LIGHT)
    assert owners["venom-backend.service"][0] == "venom"
    assert owners["ollama.service"][0] == "ollama"
    # A dynamic user, from the range that systemd keeps for them.
    assert 61184 <= owners["venom-ui.service"][1] <= 65519
    assert visitor.owners(serving.off, LLM_OFF)["venom-backend.service"][0] == "venom"


@pytest.mark.parametrize("name", ["light", "off"])
def test_nothing_but_ssh_is_reachable_from_another_machine(serving: Serving, name: str) -> None:
    open_to_others = {
        place
        for place in visitor.listening(_host(serving, name))
        if not place.startswith(("127.", "[::1]")) and not place.endswith(":22")
    }
    assert open_to_others == set()


def test_the_weights_are_those_of_the_pin(serving: Serving) -> None:
    (model,) = visitor.fetch(serving.light, f"{OLLAMA}/api/tags").json()["models"]
    pins = yaml.safe_load(PINS.read_text())
    assert (model["name"], model["digest"]) == ("gemma3:270m", pins["weights"]["gemma3:270m"]["manifest"])


@pytest.mark.parametrize("name", ["light", "off"])
def test_the_receipt_says_what_was_applied_by_whom_and_how_long_it_took(serving: Serving, name: str) -> None:
    host = _host(serving, name)
    receipt = visitor.receipt(host)
    current = host.run("readlink /opt/venom/current").stdout.strip()
    assert current == f"releases/{receipt['applied']['release']}"
    assert receipt["applied"]["plan"]["profile"] == {"light": "light", "off": "llm_off"}[name]
    assert "@" in receipt["by"]
    assert receipt["seconds"] > max(branch["seconds"] for branch in receipt["branches"].values()) > 0


@pytest.mark.parametrize("name", ["light", "off"])
def test_a_host_is_left_tidy(serving: Serving, name: str) -> None:
    host = _host(serving, name)
    assert visitor.parts(host) == ""
    assert visitor.jobs(host) == ""
    failed = host.run("systemctl --failed --no-legend --plain").stdout
    assert [line for line in failed.splitlines() if "venom" in line or "ollama" in line] == []


# -- later runs -------------------------------------------------------------------------------------


def test_a_second_run_changes_nothing_restarts_nothing_and_takes_at_most_ten_seconds(
    serving: Serving, provision: Provision
) -> None:
    before = _state(serving)
    second = provision(serving.inventory()).check()
    assert second.changed_operations == []
    assert _state(serving) == before
    # The promise of the issue, for one host and for four.
    assert second.seconds <= 10


def test_dry_on_hosts_that_serve_exits_0_and_changes_nothing(serving: Serving, provision: Provision) -> None:
    before = _state(serving)
    result = provision(serving.inventory(), "--dry").check()
    assert result.planned == {}
    assert _state(serving) == before


def test_dry_on_a_bare_host_shows_what_would_be_done_and_changes_nothing(
    lab_host: LabHost, provision: Provision
) -> None:
    host = lab_host(13)
    before = visitor.files(host, *BARE)
    result = provision(of({"bare": (host, {})}), "--dry").check()
    planned = result.planned
    for operation in ("Base | packages", "UI build | start", "Weights | finish", "Switch"):
        assert any(name.startswith(operation) for name in planned), result.output
    assert visitor.files(host, *BARE) == before


def test_a_host_that_was_rebooted_serves_again_by_itself_and_needs_no_change(
    serving: Serving, provision: Provision
) -> None:
    hosts = (serving.light, serving.off)
    for host in hosts:
        host.stop()
    for host in hosts:
        host.start()
        visitor.await_answer(host, f"{BACKEND}/healthz", f"{UI}/")
    visitor.await_answer(serving.light, f"{OLLAMA}/api/version")
    assert visitor.chat(serving.light, "Hello?").status == "COMPLETED"
    assert provision(serving.inventory()).check().changed_operations == []


def test_a_ui_that_a_fleet_built_is_not_built_again(serving: Serving, provision: Provision) -> None:
    serving.light.run("systemctl stop venom-ui && rm -r /opt/venom/uis/*")
    ending = provision(serving.of_light()).check().endings["light"]
    assert "received  UI built by an earlier run" in ending
    assert visitor.fetch(serving.light, f"{UI}/").status == 200
    assert provision(serving.of_light()).check().changed_operations == []


def _host(shared: Serving, name: str) -> Host:
    return {"light": shared.light, "off": shared.off}[name]


def _state(shared: Serving) -> list[object]:
    """What a run that has nothing to do must leave alone: processes and files of both hosts."""
    found: list[object] = []
    for host, units in ((shared.light, LIGHT), (shared.off, LLM_OFF)):
        processes = visitor.processes(host, units)
        assert all(processes.values()), processes
        found += [processes, visitor.files(host, "/opt", "/etc", "/usr/local", "/var/lib/ollama")]
        found += [visitor.files(host, "/var/lib/venom/venom.env", "/var/cache/venom")]
    return found
