"""One command on the host of the current context, with its answer: the thin layer over pyinfra's own."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from paramiko import SSHException
from pyinfra.api.command import QuoteString, StringCommand
from pyinfra.context import host

from engine.connection.known_hosts import PORT

# The distribution's, which the base packages bring: another one that comes first in a PATH is somebody's.
PYTHON = "/usr/bin/python3"

SCRIPTS = Path(__file__).parent / "scripts"


@dataclass(frozen=True)
class Answer:
    """What a command printed."""

    ok: bool
    stdout: str
    stderr: str


@cache
def script(name: str, folder: Path = SCRIPTS) -> str:
    """The text of a script, which is sent to the host as it stands. `folder`: a role's own."""
    return (folder / name).read_text(encoding="utf-8")


def shell(name: str, *arguments: str, stdin: str = "", folder: Path = SCRIPTS) -> StringCommand:
    """A command that runs the shell script `name` with `arguments`.

    What must not be seen in a process list, a log or a plan travels in `stdin`.
    """
    return StringCommand(
        "sh", "-c", QuoteString(script(name, folder)), "sh", *map(QuoteString, arguments), _stdin=stdin
    )


def program(name: str, modules: Sequence[str] = (), folder: Path = SCRIPTS) -> str:
    """The Python script `name` as one text, with the scripts that it imports before it, in their order."""
    lines = ["import sys, types"] if modules else []
    for it in modules:
        module = it.removesuffix(".py")
        lines += [
            f"sys.modules[{module!r}] = types.ModuleType({module!r})",
            f"exec(compile({_module(it, folder)!r}, {it!r}, 'exec'), sys.modules[{module!r}].__dict__)",
        ]
    return "\n".join([*lines, script(name, folder)])


def _module(name: str, folder: Path) -> str:
    """The text of a script that another one imports: beside that, or the engine's."""
    return script(name, folder if (folder / name).exists() else SCRIPTS)


def python(
    name: str, stdin: str, folder: Path = SCRIPTS, arguments: Sequence[str] = (), modules: Sequence[str] = ()
) -> StringCommand:
    """A command that runs the Python script `name` with the host's own interpreter, and no packages.

    `modules`: scripts of ours that it imports.
    """
    text = QuoteString(program(name, modules, folder))
    return StringCommand(PYTHON, "-I", "-S", "-c", text, *map(QuoteString, arguments), _stdin=stdin)


def ask(command: StringCommand, timeout: int = 120) -> Answer:
    """Run `command` as root and return its answer; where there is none, it is not ok, and stderr says why."""
    try:
        ok, output = host.run_shell_command(
            command,
            print_output=False,
            print_input=False,
            _sudo=bool(host.data.get("_sudo")),
            _timeout=timeout,
            **command.connector_arguments,
        )
    except (OSError, SSHException, EOFError) as error:
        message = " ".join(str(error).split()) or type(error).__name__
        return Answer(False, "", f"the connection was lost: {message}" if lost(host) else message)
    return Answer(ok, output.stdout, output.stderr)


def send(file: Path, path: str) -> StringCommand:
    """A command that writes a file of this machine to `path` on the host.

    As text on standard input: an sshd need have no sftp, and root needs no folder in between.
    """
    text = base64.b64encode(file.read_bytes()).decode()
    line = 'umask 077; base64 --decode >"$1.part" && mv -f "$1.part" "$1"'
    return StringCommand("sh", "-c", QuoteString(line), "sh", QuoteString(path), _stdin=f"{text}\n")


def receive(path: str, file: Path) -> Answer:
    """Write what lies at `path` on the host to a file of this machine, in the way of `send`."""
    answer = ask(StringCommand("base64", "--wrap=65536", QuoteString(path)), timeout=600)
    if answer.ok:
        file.write_bytes(base64.b64decode(answer.stdout))
    return Answer(answer.ok, "", answer.stderr)


def lost(target: Any) -> bool:
    """Whether the connection to this host is gone. Within a run it does not come back."""
    return bool(getattr(target.connector, "lost", False))


def address(target: Any, declared: str) -> str:
    """Where this host is reached, as its name is resolved; `declared`: as the inventory names it."""
    login = getattr(target.connector, "login", None)
    return str(login.host) if login else declared


def here(target: Any) -> bool:
    """Whether the host is this very machine."""
    return getattr(target.connector, "login", None) is None


def command_line(target: Any) -> str:
    """What to add to `ssh` for a login to this host as that of the run; empty where it is this machine."""
    login = getattr(target.connector, "login", None)
    if login is None:
        return ""
    return f"{f'-p {login.port} ' if login.port != PORT else ''}{login.user}@{login.name}"


def journal(unit: str, lines: int = 25) -> str:
    """The last lines that the unit's own processes wrote since it was last started, without secrets."""
    hide = f"{script('hidden.py')}\nimport sys; sys.stdout.write(hidden(sys.stdin.read()))"
    invocation = f"$(systemctl show --property InvocationID --value {unit})"
    answer = ask(
        StringCommand(
            *("journalctl", "--quiet", "--output=cat", f"--lines={lines}"),
            f'"_SYSTEMD_INVOCATION_ID={invocation}"',
            *("|", PYTHON, "-I", "-S", "-c", QuoteString(hide)),
        )
    )
    # What runs as another user is announced and dismissed by PAM, in the same journal.
    own = [it for it in answer.stdout.splitlines() if not it.startswith("pam_unix(")]
    return "\n".join(own).strip() or f"none (journalctl --unit {unit} may show more)"
