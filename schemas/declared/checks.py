"""What an inventory refers to on this machine: keys, certificates, sources and secrets that must be there."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from schemas.data.contract import contract
from schemas.declared import ssh_key
from schemas.declared.backup import SECRETS
from schemas.declared.references import absolute, secret_of
from schemas.model import Secret
from schemas.reading.inherit import Settings
from schemas.reading.problem import Problem

_READABLE_BY_OTHERS = 0o077


def machine(settings: Settings, environ: Mapping[str, str]) -> list[Problem]:
    """Everything that a host's settings need of this machine and that is not there."""
    problems = []

    def at(*keys: str) -> str:
        path = settings.get(*keys)
        return absolute(path, settings) if path else ""

    own = settings.get("door", "tls") == "own"
    for keys in (("ssh", "key"), ("ca_bundle",), *([("door", "certificate")] if own else [])):
        path = at(*keys)
        fault = _file(path) if path else ""
        if path and not fault and keys != ("ssh", "key") and "-----BEGIN" not in _text(path):
            fault = "no PEM certificate in it"
        if fault:
            problems.append(settings.problem(keys, f"{path}: {fault}", "a file to read"))
        elif path and keys == ("ssh", "key"):
            found, hint = ssh_key.fault(path)
            if found:
                problems.append(settings.problem(keys, found, "a private key that can be used", hint))
    tree, repository = at("venom", "tree"), at("venom", "repository")
    if tree and not _is(tree, stat.S_ISDIR):
        found = f"{tree}: no such directory"
        problems.append(settings.problem(("venom", "tree"), found, "a directory"))
    if repository and not _repository(repository):
        found = f"{repository}: no git repository"
        problems.append(settings.problem(("venom", "repository"), found, "a git repository"))
    for keys, reference in references(settings):
        secret = secret_of(reference, settings)
        found, hint = _secret(secret, environ)
        if found:
            allowed = {
                "env": "a variable that is set",
                "file": "a file that only you can read",
                "command": "a program on the PATH",
            }[secret.kind]
            problems.append(settings.problem(keys, found, allowed, hint))
    return problems


def references(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every reference to a secret, and where it stands."""
    for name, reference in settings.get("secrets", default={}).items():
        if name in contract().secret():
            yield ("secrets", name), reference
    for name, reference in settings.get("door", "users", default={}).items():
        yield ("door", "users", name), reference
    if settings.get("proxy", "credentials"):
        yield ("proxy", "credentials"), settings.get("proxy", "credentials")
    for name in SECRETS:
        if settings.get("backup", name):
            yield ("backup", name), settings.get("backup", name)
    if settings.get("door", "tls") == "own" and settings.get("door", "key"):
        yield ("door", "key"), settings.get("door", "key")


def _secret(secret: Secret, environ: Mapping[str, str]) -> tuple[str, str]:
    """What is wrong with the reference, and the remedy; the secret itself is never looked at."""
    target = secret.target
    if secret.kind == "env":
        missing = not environ.get(target)
        return (f"env:{target}, which is not set", f"export {target}=…") if missing else ("", "")
    return _secret_file(target) if secret.kind == "file" else _secret_command(target)


def _secret_file(path: str) -> tuple[str, str]:
    fault = _file(path)
    if fault:
        return f"file:{path}: {fault}", ""
    mode = stat.S_IMODE(Path(path).stat().st_mode)
    if mode & _READABLE_BY_OTHERS:
        return f"file:{path}, mode {mode:04o}", f"chmod 600 {shlex.quote(path)}"
    return "", ""


def _secret_command(line: str) -> tuple[str, str]:
    try:
        words = shlex.split(line)
    except ValueError as error:
        return f"a command that cannot be read: {str(error).lower()}", "close the quotes"
    if not words:
        return "an empty command", ""
    if shutil.which(words[0]) is None:
        return f"command:{words[0]} …, which is not on the PATH", f"install {words[0]}"
    return "", ""


def is_file(path: str) -> bool:
    """Whether there is a file at `path`. Unlike `Path.is_file` it takes any text."""
    return _is(path, stat.S_ISREG)


def _file(path: str) -> str:
    """What is wrong with a file that is to be read; empty if nothing is."""
    if not _is(path, lambda _mode: True):
        return "no such file"
    if not _is(path, stat.S_ISREG):
        return "not a file"
    return "" if os.access(path, os.R_OK) else "not readable"


def _repository(path: str) -> bool:
    """Whether `path` is a git repository: a work tree's root or a bare one."""
    return _is(f"{path}/.git", lambda _mode: True) or (
        _is(f"{path}/HEAD", stat.S_ISREG) and _is(f"{path}/objects", stat.S_ISDIR)
    )


def _is(path: str, kind: Callable[[int], bool]) -> bool:
    try:
        return kind(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
