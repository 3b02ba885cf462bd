"""Runs the playbook that keeps the same state, plain or with mitogen, and reads that it changed nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab import ssh
from lab.hosts import Host
from lab.state import CommandFailed, LabError

_HERE = Path(__file__).parent
_BIN = _HERE / ".venv" / "bin"
_RECAP = re.compile(r"^\S+ +: ok=[0-9]+ +changed=(?P<changed>[0-9]+) +unreachable=0 +failed=0", re.M)


def prepare(folder: Path, hosts: Sequence[Host], variables: Mapping[str, Any]) -> None:
    """Write Ansible's inventory and the playbook's variables into the folder."""
    hosts_of = {host.name: {"ansible_host": host.address} for host in hosts}
    connection = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(ssh.KEY),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={ssh.KNOWN_HOSTS}",
    }
    data = {"all": {"hosts": hosts_of, "vars": connection}}
    (folder / "ansible.json").write_text(json.dumps(data))
    (folder / "variables.json").write_text(json.dumps(variables))


def keep(folder: Path, mitogen: bool = False) -> None:
    """Run the playbook. LabError where it found something to change: the state is not the same then."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(_HERE / "ansible" / "ansible.cfg")}
    if mitogen:
        plugins = next(_HERE.glob(".venv/lib/*/site-packages/ansible_mitogen/plugins/strategy"))
        environment |= {"ANSIBLE_STRATEGY_PLUGINS": str(plugins), "ANSIBLE_STRATEGY": "mitogen_linear"}
    command = [str(_BIN / "ansible-playbook"), "--inventory", str(folder / "ansible.json")]
    command += ["--extra-vars", f"@{folder / 'variables.json'}", str(_HERE / "ansible" / "playbook.yml")]
    result = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise CommandFailed("the playbook", result)
    changed = [match["changed"] for match in _RECAP.finditer(result.stdout)]
    if not changed or set(changed) != {"0"}:
        raise LabError(f"the playbook does not keep the same state: it changes things\n{result.stdout}")
