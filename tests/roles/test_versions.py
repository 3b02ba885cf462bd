"""Status asks for the versions that the components declare, each in its own way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from engine import remote
from roles.ollama import deploy as ollama
from roles.status.deploy import MODULES, SCRIPTS
from roles.status.state import HostState
from tests.roles.plans import components_of, plan


def test_a_host_is_asked_by_the_command_of_each_and_what_is_not_there_has_none() -> None:
    commands = {
        "Own": ["echo", "Own v1.2.3"],
        "Silent": ["true"],
        "None": ["cat", "/nowhere"],
        "Gone": ["/nowhere/node", "--version"],
    }
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            remote.program("status.py", MODULES, SCRIPTS),
        ],
        input=json.dumps({"nonce": "n", "versions": commands}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["versions"] == {"Own": "1.2.3", "Silent": "", "None": "", "Gone": ""}
    assert HostState.of(done.stdout).measured == "", "the answer has the form that is expected of it"


def test_every_plan_asks_for_the_same_whatever_the_host_serves() -> None:
    off = "hosts: {box: {address: 192.0.2.10, profile: llm_off}}\n"
    both = [[name for it in components_of(one) for name in it.versions] for one in (plan(), plan(off))]
    assert both == [["Ollama", "Python", "Node"]] * 2


def test_the_version_of_ollama_is_in_the_name_of_its_folder(tmp_path: Path) -> None:
    server = plan().ollama
    assert server
    (tmp_path / "current").symlink_to(Path(ollama.home(server)).name)
    shell, option, line = ollama.VERSIONS["Ollama"]
    here = line.replace(ollama.CURRENT, f"{tmp_path}/current")
    assert (
        subprocess.run([shell, option, here], capture_output=True, text=True, check=True).stdout == "0.24.0\n"
    )
