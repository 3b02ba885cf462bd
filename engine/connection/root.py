"""Whether root can run commands on a host that was just logged in to, and what is missing where not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from paramiko import SSHException

from engine.refusal import Finding, RefusedError, refuse

_SECONDS = 60.0  # a login shell may do a lot before it runs anything
# In English, whatever the host speaks. What follows is run as all commands of a run are.
_ASK = "LC_ALL=C; export LC_ALL; "
_SUDO = (
    "command -v sudo >/dev/null || { echo 'sudo: not found' >&2;"
    " command -v doas >/dev/null && echo 'doas is there, which is not used' >&2; exit 127; }; sudo -H -n "
)


class Run(Protocol):
    """Runs a command: its status. What it says is given to `stdout` and `stderr`."""

    def __call__(
        self,
        command: str,
        stdin: Iterator[bytes],
        stdout: Callable[[bytes], object],
        stderr: Callable[[bytes], object],
        timeout: float | None = None,
    ) -> int: ...


def check(run: Run, user: str, where: str, *, sudo: bool, needed: bool) -> None:
    """Run one command as root. Raises RefusedError where none runs, or not as root, if that is `needed`.

    `where`: the host, with the login to it.
    """
    output, errors = bytearray(), bytearray()
    try:
        run(f"{_ASK}{_SUDO if sudo else ''}sh -c 'id -u'", iter(()), output.extend, errors.extend, _SECONDS)
    except (SSHException, OSError, EOFError) as error:
        found = " ".join(str(error).split()) or type(error).__name__
        raise refuse(
            f"a shell for {user} on {where}",
            f"the login works, but runs no command: {found}",
            "try the command `true` with `ssh`; change the login shell (chsh), or raise sshd's MaxSessions",
        ) from None
    uid = output.decode("utf-8", "replace").strip()
    if uid != "0" and needed:
        it = wrong(user, sudo, uid, errors.decode("utf-8", "replace"))
        required = f"{it.requirement}, on {where}"
        raise RefusedError([Finding(required, it.found, it.remedy)])


def wrong(user: str, sudo: bool, uid: str, stderr: str) -> Finding:
    """Why a user is not root: `uid` is what id printed, `stderr` what else was printed."""
    if not sudo:
        found = (
            f"user id {uid} ({user})"
            if uid.isdigit()
            else f"no user id: {uid or stderr.strip() or 'nothing'}"
        )
        remedy = "set `ssh.user: root`, or `ssh.sudo: true` with a user who may sudo without a password"
        return Finding("root on the host", found[:300], remedy)
    required = f"root on the host, by sudo without a password for {user}"
    lines = [it.strip() for it in stderr.splitlines() if it.strip()]
    found = "; ".join(lines[-2:])[:300] or f"sudo ran it as user id {uid or 'unknown'}"
    allow = (
        f"as root there: echo '{user} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/venom; or set `ssh.user: root`"
    )
    lower = stderr.lower()
    if "not found" in lower:
        return Finding(required, found, "set `ssh.user: root`, or install sudo there")
    if "password is required" in lower or "authentication is required" in lower:
        return Finding(required, f"sudo asks {user} for a password ({found})", allow)
    if "tty" in lower:
        remedy = f"as root there: echo 'Defaults:{user} !requiretty' >/etc/sudoers.d/venom-tty"
        return Finding(required, f"sudo wants a terminal ({found})", remedy)
    if "sudoers" in lower or "not allowed" in lower or "may not run" in lower:
        return Finding(required, f"sudo does not allow {user} to do this ({found})", allow)
    return Finding(required, found, f"check there: sudo -n sh -c 'id -u'. {allow[0].upper()}{allow[1:]}")
