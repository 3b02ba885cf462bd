"""Backups: a lost box's chats are read on another one, and what goes wrong costs no copy."""

from __future__ import annotations

from typing import Any

import pytest

from lab.hosts import Host
from tests.lab import visitor
from tests.lab.conftest import Provision
from tests.lab.serving import Serving, llm_off, of
from tests.lab.visitor import BACKEND

_REPOSITORY = "/srv/backups/venom"
_BACKUP, _RESTORE = "deploy/backup.py", "deploy/restore.py"


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the inventories refer to."""
    monkeypatch.setenv("BACKUPS", "correct horse")


def _declared(hosts: dict[str, tuple[Host, dict[str, Any]]], **backup: Any) -> dict[str, Any]:
    section = {"repository": _REPOSITORY, "password": "env:BACKUPS", **backup}
    return of({name: (host, {**settings, "backup": section}) for name, (host, settings) in hosts.items()})


def test_the_chats_of_a_lost_box_are_read_on_another_one(
    serving: Serving, provision: Provision, password: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    light, other = serving.copies("light", "off")
    old, new = _declared({"light": (light, {})}), _declared({"new": (other, llm_off())})

    # Before the disk of the repository is there: one message, and nothing is stopped.
    provision(old).check()
    assert light.run("systemctl is-active venom-backup.timer").stdout == "active\n"
    pid = visitor.processes(light, ["venom-backend.service"])
    refused = provision(old, deploy=_BACKUP)
    assert "required  the folder /srv/backups, in which the repository lies" in refused.endings["light"]
    assert visitor.processes(light, ["venom-backend.service"]) == pid

    # Over SFTP to the other one. Before it lets this host in: one message, and nothing is stopped.
    other.run("mkdir -p /srv/backups")
    there = f"sftp:root@{other.address}:{_REPOSITORY}"
    old = _declared({"light": (light, {})}, repository=there)
    provision(old).check()
    refused = provision(old, deploy=_BACKUP)
    assert f"required  an SSH login as root of this host, for {there}" in refused.endings["light"]
    assert "found     Host key verification failed." in refused.endings["light"]
    assert visitor.processes(light, ["venom-backend.service"]) == pid
    _let_in(light, other)
    chat = visitor.chat(light, "Keep this.").result
    aged = "/var/lib/venom/data/memory/of-six-days-ago"
    light.run(f"install -o venom -g venom /dev/null {aged} && touch -d '6 days ago' {aged}")
    made = provision(old, deploy=_BACKUP).check()
    assert "1 kept" in made.endings["light"]
    visitor.await_answer(light, f"{BACKEND}/healthz")
    status = provision(old, deploy="deploy/status.py")
    assert f"1 at {there}" in status.output
    assert provision(old).check().changed_operations == []

    # A run that is killed stops nothing for good; the next one makes its backup.
    light.run(
        "systemctl start --no-block venom-backup; until test -e /run/venom-backup-stopped; do :; done;"
        "systemctl kill --signal KILL venom-backup"
    )
    visitor.await_answer(light, f"{BACKEND}/healthz")
    provision(old, deploy=_BACKUP).check()

    # The box is lost; another one, whose profile differs, has its repository.
    provision(new).check()
    alone = provision(new, deploy=_RESTORE)
    assert "a backup of new" in alone.endings["new"]
    assert "light" in alone.endings["new"], "it names what there is"
    restored = provision(new, "--data", "from=light", deploy=_RESTORE).check()
    assert "serves with the data of light of " in restored.endings["new"]
    tasks = visitor.fetch(other, f"{BACKEND}/api/v1/tasks").body
    assert chat in tasks
    other.run(f"test -e {aged}")
    assert visitor.settings(other)["VENOM_RUNTIME_PROFILE"] == "llm_off"
    assert visitor.parts(other) == ""
    assert provision(new).check().changed_operations == []

    # Another password: one message, and the copies are what they were.
    monkeypatch.setenv("BACKUPS", "another")
    provision(new).check()
    wrong = provision(new, deploy=_BACKUP)
    assert f"required  the password of {_REPOSITORY} (backup.password)" in wrong.endings["new"]
    assert "the backup: failed at " in provision(new, deploy="deploy/status.py").output
    monkeypatch.setenv("BACKUPS", "correct horse")
    provision(new).check()
    assert "1 kept" in provision(new, deploy=_BACKUP).check().endings["new"]


def _let_in(host: Host, other: Host) -> None:
    """Let root of one host open SFTP on another."""
    host.run("ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519")
    host.run(f"ssh-keyscan -t ed25519 {other.address} >>/root/.ssh/known_hosts")
    key = host.read("/root/.ssh/id_ed25519.pub").strip()
    other.run(f"echo '{key}' >>/root/.ssh/authorized_keys")
    other.run("echo 'Subsystem sftp internal-sftp' >>/etc/ssh/sshd_config && systemctl reload ssh")
