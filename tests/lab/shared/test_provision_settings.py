"""The backend's settings: managed by key, the panel's own keys left alone, restarts only with a cause."""

from __future__ import annotations

import pytest

from lab.hosts import Host
from tests.lab import visitor
from tests.lab.conftest import Provision
from tests.lab.serving import Serving
from tests.lab.visitor import BACKEND, LIGHT

_UNIT = "venom-backend.service"
_FILE = "/var/lib/venom/venom.env"


@pytest.fixture
def light(serving: Serving, provision: Provision) -> Host:
    """The host `light`, which is as the inventory says before each test."""
    provision(serving.of_light()).check()
    return serving.light


def test_a_key_that_the_panel_wrote_survives_and_nothing_restarts(
    light: Host, serving: Serving, provision: Provision
) -> None:
    processes = visitor.processes(light, LIGHT)
    update = {"updates": {"VENOM_THEME": "dark"}}
    assert visitor.fetch(light, f"{BACKEND}/api/v1/config/runtime", update).status == 200
    result = provision(serving.of_light()).check()
    assert result.changed_operations == []
    assert visitor.settings(light)["VENOM_THEME"] == "dark"
    assert visitor.processes(light, LIGHT) == processes


def test_a_managed_key_that_was_changed_in_the_file_alone_is_put_back_without_a_restart(
    light: Host, serving: Serving, provision: Provision
) -> None:
    processes = visitor.processes(light, LIGHT)
    before = visitor.settings(light)
    _write(light, "LLM_KEEP_ALIVE", "1s")
    result = provision(serving.of_light()).check()
    assert ("light", "Switch") in result.changed_operations
    assert "differs in LLM_KEEP_ALIVE" in result.output
    assert visitor.settings(light) == before
    # The process was started before the change: it never had the wrong value.
    assert visitor.processes(light, LIGHT) == processes


def test_a_backend_that_was_started_with_a_wrong_value_is_restarted_and_nothing_else_is(
    light: Host, serving: Serving, provision: Provision
) -> None:
    before = visitor.settings(light)
    _write(light, "LLM_KEEP_ALIVE", "1s")
    light.run(f"systemctl restart {_UNIT}")
    visitor.await_answer(light, f"{BACKEND}/healthz")
    processes = visitor.processes(light, LIGHT)
    provision(serving.of_light()).check()
    assert visitor.settings(light) == before
    assert _restarted(light, processes) == {_UNIT}


def test_a_setting_in_the_inventory_restarts_the_backend_alone_and_goes_with_the_setting(
    light: Host, serving: Serving, provision: Provision
) -> None:
    assert visitor.settings(light)["OLLAMA_RETRY_MAX_ATTEMPTS"] == "2"
    processes = visitor.processes(light, LIGHT)
    changed = serving.of_light(environment={"OLLAMA_RETRY_MAX_ATTEMPTS": 5})
    provision(changed).check()
    assert visitor.settings(light)["OLLAMA_RETRY_MAX_ATTEMPTS"] == "5"
    assert _restarted(light, processes) == {_UNIT}
    assert provision(changed).check().changed_operations == []

    processes = visitor.processes(light, LIGHT)
    provision(serving.of_light()).check()
    assert visitor.settings(light)["OLLAMA_RETRY_MAX_ATTEMPTS"] == "2"
    assert _restarted(light, processes) == {_UNIT}


def test_a_setting_of_ollama_restarts_ollama(light: Host, serving: Serving, provision: Provision) -> None:
    processes = visitor.processes(light, LIGHT)
    provision(serving.of_light(environment={"OLLAMA_LOAD_TIMEOUT": "7m"})).check()
    # It is in the backend's file, too.
    assert _restarted(light, processes) == {"ollama.service", _UNIT}
    pid = visitor.processes(light, ["ollama.service"])["ollama.service"]
    assert "OLLAMA_LOAD_TIMEOUT=7m" in light.run(f"tr '\\0' '\\n' </proc/{pid}/environ").stdout
    assert visitor.chat(light, "Hello?").status == "COMPLETED"


def _write(host: Host, key: str, value: str) -> None:
    """Change a key as somebody does who may write the file."""
    host.run(f"runuser -u venom -- sed -i 's|^{key}=.*|{key}={value}|' {_FILE}")
    assert visitor.settings(host)[key] == value


def _restarted(host: Host, before: dict[str, int]) -> set[str]:
    """The units that run as other processes than before."""
    now = visitor.processes(host, before)
    assert all(now.values()), now
    return {unit for unit, pid in now.items() if pid != before[unit]}
