"""A host switches to a generation as a whole: what does not serve is taken back, what did serve is kept."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from engine import remote
from engine.paths import AUDIT
from lab import ssh
from lab.hosts import Host
from tests.lab import provisioning, visitor
from tests.lab.conftest import Provision
from tests.lab.serving import Serving
from tests.lab.visitor import BACKEND, LIGHT, UI

_APPLICATION = "venom_core/main.py"
_WEIGHTS = "find /var/lib/ollama/models -type f"
_BACKEND, _UI, _OLLAMA = "venom-backend.service", "venom-ui.service", "ollama.service"


@pytest.fixture
def light(serving: Serving, provision: Provision) -> Host:
    """The host `light`, which is as the inventory says before each test."""
    provision(serving.of_light()).check()
    return serving.light


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A Venom of one's own to change, which differs from the lab's in nothing yet."""
    return provisioning.own_venom(tmp_path / "venom")


def _change(tree: Path, before: str, after: str) -> None:
    path = tree / _APPLICATION
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def test_a_release_that_starts_and_dies_is_taken_back_and_its_last_words_are_shown(
    light: Host, serving: Serving, provision: Provision, tree: Path
) -> None:
    _change(tree, "    await startup.settle_model()", '    raise RuntimeError("the database is gone")')
    release = light.run("readlink /opt/venom/current").stdout
    before = visitor.processes(light, LIGHT)
    result = provision(serving.of_light(venom={"tree": str(tree)}))
    assert result.status == 1
    ending = result.endings["light"]
    assert "Backend (venom-backend.service) does not serve" in ending
    assert "RuntimeError: the database is gone" in ending
    assert "What served before serves again" in ending
    assert light.run("readlink /opt/venom/current").stdout == release
    assert visitor.fetch(light, f"{BACKEND}/healthz").status == 200
    after = visitor.processes(light, LIGHT)
    assert (after[_OLLAMA], after[_UI]) == (before[_OLLAMA], before[_UI]), "only the backend changed"
    last = light.read(AUDIT).splitlines()[-1]
    assert "deploy/venom.py: failed at Switch; " in last
    assert "Backend (venom-backend.service) does not serve" in last
    assert visitor.parts(light) == ""
    assert provision(serving.of_light()).check().changed_operations == []


def test_a_change_of_the_backend_alone_builds_no_ui_and_restarts_no_ui(
    light: Host, serving: Serving, provision: Provision, tree: Path
) -> None:
    _change(tree, '"component": "venom-core"', '"component": "venom-core-2"')
    before = visitor.processes(light, LIGHT)
    result = provision(serving.of_light(venom={"tree": str(tree)})).check()
    assert ("light", "UI build | start") not in result.changed_operations
    assert "venom-core-2" in visitor.fetch(light, f"{BACKEND}/healthz").body
    after = visitor.processes(light, LIGHT)
    assert {unit for unit in LIGHT if after[unit] != before[unit]} == {_BACKEND}


def test_another_profile_and_back_restarts_only_what_is_concerned(
    light: Host, serving: Serving, provision: Provision
) -> None:
    before = visitor.processes(light, LIGHT)
    layout = visitor.layout(light, "/opt", "/etc/systemd/system", "/var/lib/ollama/models/manifests")
    off = provision(serving.of_light(profile="llm_off")).check()
    for line in ("profile: light -> llm_off", "nothing has to be built", "starts: venom-backend\n"):
        assert f"[light] {line}" in off.output
    assert "[light] keeps running: venom-ui, nginx\n" in off.output
    assert "[light] stops: ollama\n" in off.output
    assert "not used by this plan: weights gemma3:270m (0.3 GB)" in off.endings["light"]
    assert visitor.processes(light, [_OLLAMA]) == {_OLLAMA: 0}
    assert light.run("test -e /etc/systemd/system/ollama.service", check=False).returncode != 0
    assert visitor.processes(light, [_UI])[_UI] == before[_UI]
    provision(serving.of_light()).check()
    assert visitor.processes(light, [_UI])[_UI] == before[_UI]
    assert visitor.layout(light, "/opt", "/etc/systemd/system", "/var/lib/ollama/models/manifests") == layout
    assert visitor.chat(light, "Say yes.").status == "COMPLETED"


def test_a_run_waits_for_a_service_that_runs_and_does_not_answer(
    light: Host, serving: Serving, provision: Provision
) -> None:
    ui = visitor.processes(light, [_UI])[_UI]
    # Stopped as a host that has no time for it stops it, and goes on before it counts as hanging.
    light.run(f"kill -STOP {ui} && systemd-run --quiet --on-active=15 kill -CONT {ui}")
    result = provision(serving.of_light()).check()
    assert "[light] waits for: venom-ui\n" in result.output
    assert "[light] keeps running: ollama, venom-backend, nginx\n" in result.output
    assert visitor.processes(light, [_UI])[_UI] == ui
    assert provision(serving.of_light()).check().changed_operations == []


def test_weights_that_the_plan_does_not_use_go_when_the_operator_says_so(
    light: Host, serving: Serving, provision: Provision
) -> None:
    off = serving.of_light(profile="llm_off")
    provision(off).check()
    purged = provision(off, "--data", "purge=yes").check()
    assert [name for _, name in purged.changed_operations] == ["Lock", "Weights | purge", "Unlock"]
    assert light.run(_WEIGHTS).stdout == ""
    assert provision(off, "--data", "purge=yes").check().changed_operations == []
    provision(serving.of_light()).check()
    assert provision(serving.of_light(), "--data", "purge=yes").check().changed_operations == []
    assert visitor.chat(light, "Say yes.").status == "COMPLETED"


def test_going_back_needs_no_network_and_no_inventory(
    light: Host, serving: Serving, provision: Provision
) -> None:
    first = visitor.receipt(light)["generation"]
    provision(serving.of_light(profile="llm_off")).check()
    second = visitor.receipt(light)["generation"]
    back = provision(serving.of_light(), deploy="deploy/rollback.py").check()
    assert f"generation {first}" in back.endings["light"]
    assert visitor.receipt(light)["generation"] == first
    assert visitor.chat(light, "Say yes.", UI).status == "COMPLETED"
    forth = provision(serving.of_light(), "--data", f"to={second}", deploy="deploy/rollback.py").check()
    assert f"generation {second}" in forth.endings["light"]
    again = provision(serving.of_light(), "--data", f"to={second}", deploy="deploy/rollback.py").check()
    assert again.changed_operations == []
    release = provision(serving.of_light(), "--data", "to=v1.9.0", deploy="deploy/rollback.py").check()
    assert release.changed_operations == [], "the last one of that release serves already"
    lost = provision(serving.of_light(), "--data", "to=nothing", deploy="deploy/rollback.py")
    assert lost.status == 1
    assert first in lost.endings["light"], "it names what there is"


def test_a_release_that_ruins_its_data_leaves_the_old_chats_to_the_old_release(
    light: Host, serving: Serving, provision: Provision, tree: Path
) -> None:
    chat = visitor.chat(light, "Remember this.").result
    old = "/var/lib/venom/data/memory/of-six-days-ago"
    light.run(f"install -o venom -g venom /dev/null {old} && touch -d '6 days ago' {old}")
    first = visitor.receipt(light)["generation"]
    _change(tree, "    tasks.load()", '    shutil.rmtree(SETTINGS.MEMORY_ROOT)\n    raise RuntimeError("?")')
    died = provision(serving.of_light(venom={"tree": str(tree)}))
    assert died.status == 1
    assert (
        "/var/lib/venom is as before; what became of it lies in /var/lib/venom-snapshots/g"
        in (died.endings["light"])
    )
    assert chat in _chats(light)
    assert light.run(f"test -e {old}", check=False).returncode == 0

    _change(tree, '\n    raise RuntimeError("?")', "\n    tasks.load()")
    serves = provision(serving.of_light(venom={"tree": str(tree)})).check()
    assert "copied    /var/lib/venom" in serves.endings["light"]
    assert chat not in _chats(light)
    without = provision(serving.of_light(), "--data", f"to={first}", deploy="deploy/rollback.py").check()
    assert "with its data" not in without.endings["light"]
    assert chat not in _chats(light), "the data stay as they are unless they are asked for"

    again = (f"to={first}", "--data", "with-state=yes")
    back = provision(serving.of_light(), "--data", *again, deploy="deploy/rollback.py").check()
    assert "written since" in back.output
    assert f"(generation {first}), with its data of " in back.endings["light"]
    assert chat in _chats(light)
    assert light.run(f"test -e {old}", check=False).returncode == 0
    assert visitor.parts(light) == ""
    copies = light.run("ls /var/lib/venom-snapshots").stdout.split()
    assert len({it.partition(".")[0] for it in copies}) == len(copies) <= 3
    status = provision(serving.of_light(), deploy="deploy/status.py").output
    listed = re.findall(r"^ +(?:data +)?g\w+ {2}\S+ \S+ UTC {2}[.0-9]+ .?B$", status, re.M)
    assert len(listed) == len(copies), status
    assert provision(serving.of_light()).check().changed_operations == []


def _chats(host: Host) -> str:
    return visitor.fetch(host, f"{BACKEND}/api/v1/tasks").body


def test_a_second_run_reads_who_holds_the_host_and_a_dead_one_is_taken_over(
    light: Host, serving: Serving, provision: Provision
) -> None:
    changed = serving.of_light(environment={"OLLAMA_RETRY_MAX_ATTEMPTS": 3})
    light.put(remote.script("lock.sh"), "/root/lock.sh")
    line = [*ssh.command(light.address), "sh /root/lock.sh 'ada@desk since noon: a test'"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        refused = provision(changed)
        assert refused.status == 1
        assert "no other run that changes this host" in refused.endings["light"]
        assert "ada@desk since noon: a test" in refused.endings["light"]
        # A run that would change nothing need not wait for another.
        provision(serving.of_light()).check()
        other.kill()
    taken_over = provision(changed).check()
    assert "takes over from a run that did not end properly: ada@desk since noon: a test" in taken_over.output
    assert light.read("/run/venom-provisioner.lock") == ""
    other_line, own_line = light.read(AUDIT).splitlines()[-2:]
    assert "ada@desk since noon: a test: cut off" in other_line
    assert "deploy/venom.py: serves Venom" in own_line
