"""Taking everything of ours away from a host: what runs first, and last what shows that we are here.

So a removal that was cut off is completed by the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from engine import outcome, paths, remote
from engine.answers import number, understood
from engine.operations import Commands, log_line
from engine.refusal import refuse
from engine.resources import Directory, Resource
from roles.removal.removal import Found, Removal, units_of

SCRIPTS = Path(__file__).parent / "scripts"


def ask_host(resources: Sequence[Resource]) -> Found:
    """What the look does not show of the current host. Raises RefusedError where removal cannot work."""
    folders = [it.path for it in resources if isinstance(it, Directory) and it.keeps]
    answer = remote.ask(_shell("see.sh", paths.AUDIT, paths.MARK, " ".join(units_of(resources)), *folders))
    if not answer.ok:
        raise refuse("a host that answers", answer.stderr.strip() or "no answer")
    return understood("what of ours is there", answer.stdout, read_found)


def read_found(text: str) -> Found:
    """What the script printed. Raises RefusedError where removal cannot work, KeyError or ValueError."""
    facts: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        facts.setdefault(name, []).append(value)
    marked, log = "marked" in facts, "log" in facts
    if facts["uid"] != ["0"]:
        remedy = "set `ssh.user: root`, or `ssh.sudo: true` with a user who may sudo without a password"
        raise refuse("root on the host", f"user id {facts['uid'][0]}", remedy)
    if (marked or "size" in facts) and "python" not in facts:
        raise refuse("python3, to remove what is ours", "none", "apt-get install python3")
    sizes = (it.split(" ", 1) for it in facts.get("size", []))
    return Found(
        marked=marked,
        log=log,
        sizes={path: number(size) for size, path in sizes},
        drop_ins=tuple(facts.get("drop-in", [])),
        installed=tuple(facts.get("package", [])),
    )


def report_removal(removal: Removal) -> None:
    """Tell what will go and what will stay before anything goes, and note it for the end of the run."""
    goes, stays = removal.goes(), removal.stays()
    for line in [*(f"goes   {it}" for it in goes), *(f"stays  {it}" for it in stays)]:
        host.log(line)
    if not goes:
        host.log(removal.headline())
    outcome.serves(host.name, "\n".join([removal.headline(), *(f"stays  {it}" for it in stays)]))


@operation()
def units_stopped(removal: Removal) -> Commands:
    """
    Stop what runs, jobs first, and let nothing start again.

    + removal: what goes
    """
    yield log_line(f"stop {', '.join(removal.units) or 'jobs'}")
    yield _shell("stop.sh", *removal.units)


@operation()
def files_removed(removal: Removal) -> Commands:
    """
    Remove units, files and folders, and let the trust bundle follow.

    + removal: what goes
    """
    if paths.OPT in removal.trees:
        yield remote.python("drop_images.py", "", SCRIPTS, modules=("images.py",))
    for path in removal.files:
        yield StringCommand("rm", "-f", QuoteString(path))
    for folder in removal.folders:
        yield StringCommand("rmdir", "--ignore-fail-on-non-empty", QuoteString(folder))
    if removal.nginx:
        links = [path for pair in removal.restored for path in pair]
        yield _shell("nginx.sh", removal.nginx, *links)
    yield StringCommand("systemctl", "daemon-reload")
    yield remote.shell("quiet.sh", "update-ca-certificates", "--fresh")
    yield _shell("clear.sh", *removal.trees)


@operation()
def data_purged(removal: Removal) -> Commands:
    """
    Remove what is the operator's: data and weights.

    + removal: what goes
    """
    yield _shell("clear.sh", *(it.path for it in removal.data))


@operation()
def users_deleted(users: Sequence[str]) -> Commands:
    """
    Delete users, each with the group of its name.

    + users: their names
    """
    for user in users:
        yield StringCommand("userdel", user)


@operation()
def mark_removed() -> Commands:
    """Remove what shows that we are here: by it the next run finds what was cut off."""
    yield StringCommand("rm", "-f", paths.MARK)
    yield StringCommand("systemctl", "daemon-reload")


@operation()
def audit_log_removed() -> Commands:
    """Remove the audit log, which shows that we were here; the end of the lock was its last line."""
    yield StringCommand("rm", "-f", paths.AUDIT)


def _shell(name: str, *arguments: str) -> StringCommand:
    text = (SCRIPTS / name).read_text(encoding="utf-8")
    return StringCommand("sh", "-c", QuoteString(text), "sh", *map(QuoteString, arguments))
