"""Operations that make a host so: declared resources, long jobs, services, and a host that is refused.

Whether something differs was decided by the one look at the start of the run; an operation for what
is so already yields nothing and costs no round trip.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pyinfra import logger
from pyinfra.api.command import FunctionCommand, QuoteString, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host
from pyinfra.context import state as pyinfra_state
from pyinfra.operations import server

from engine import live, outcome, packages, remote
from engine.observation import Observed
from engine.paths import AUDIT, UNITS
from engine.refusal import Finding, RefusedError
from engine.resources import (
    Absent,
    Directory,
    Diverted,
    Enabled,
    File,
    Link,
    Packages,
    Prerequisite,
    User,
)

Commands = Generator[Any, None, None]


@operation()
def resources_converged(resources: Sequence[Prerequisite], observed: Observed) -> Commands:
    """
    Make every resource what it is declared to be, in the order of the declaration.

    + resources: what the host is to have
    + observed: what it has
    """
    different = [resource for resource in resources if resource.differs(observed)]
    if not different:
        host.noop(f"{len(resources)} things are as declared")
        return
    # Many directories are made on a bare host: one line says it.
    directories = [str(it) for it in different if isinstance(it, Directory)]
    if directories:
        yield log_line(f"directories: {', '.join(directories)}")
    for resource in different:
        if not isinstance(resource, Directory):
            yield log_line(f"{resource}: {resource.differs(observed)}")
        yield from _mend(resource, observed)
    for what, things in _kinds(different, observed).items():
        yield record(what, *things)
    if any(getattr(resource, "path", "").startswith(UNITS) for resource in different):
        yield StringCommand("systemctl", "daemon-reload")


def _kinds(resources: Sequence[Prerequisite], observed: Observed) -> dict[str, list[str]]:
    """Resources by what the summary reports of them; the folders of a bare host are of no interest."""
    kinds: dict[str, list[str]] = {}
    for it in resources:
        match it:
            case Packages():
                kinds.setdefault("installed", []).extend(it.missing(observed))
            case User():
                kinds.setdefault("users", []).append(it.name)
            case Absent():
                kinds.setdefault("deleted", []).append(it.path)
            case File() | Link() | Enabled():
                kinds.setdefault("files", []).append(str(it))
    return kinds


def _mend(resource: Prerequisite, observed: Observed) -> Commands:
    match resource:
        case Packages():
            yield remote.shell("record_packages.sh", AUDIT, *resource.names)
            for package, unit in resource.held:
                yield remote.shell("hold_unit.sh", package, unit)
            yield FunctionCommand(_install, (resource.names, resource.origin), {})
        case User():
            yield remote.shell("home.sh", resource.name, resource.home)
            yield from server.user._inner(
                user=resource.name,
                home=resource.home,
                # A group of that name would keep it from being made with one of its own.
                group=resource.name if resource.name in observed.groups else None,
                shell="/usr/sbin/nologin",
                system=True,
                ensure_home=False,
            )
            for group in resource.groups:
                yield StringCommand(
                    f"if getent group {group} >/dev/null; then",
                    f"usermod --append --groups {group} {resource.name}; fi",
                )
        case Directory():
            arguments = (resource.path, resource.owner, resource.mode)
            yield remote.python("directory.py", "", arguments=arguments)
        case File():
            yield remote.shell("put.sh", resource.path, resource.owner, resource.mode, stdin=resource.content)
        case Link():
            yield remote.shell("link.sh", resource.path, resource.target)
        case Absent():
            if resource.path.startswith(f"{UNITS}/"):
                name = QuoteString(resource.path.rpartition("/")[2])
                yield StringCommand("systemctl", "disable", "--quiet", "--now", name)
            yield StringCommand("rm", "-rf", QuoteString(resource.path))
        case Diverted():
            yield remote.shell("divert.sh", resource.path, resource.package, resource.to)
        case Enabled():
            now = ["--now"] if resource.now else []
            yield StringCommand("systemctl", "enable", "--quiet", *now, resource.unit)


def _install(state: Any, host: Any, names: Sequence[str], origin: Mapping[str, str]) -> bool:
    why = packages.install(host, names, origin)
    return fail(state, host, why) if why else why is not None


def record(what: str, *things: str) -> FunctionCommand:
    """A command that records a change for the end of the run."""
    return FunctionCommand(_record, (what, *things), {})


def _record(state: Any, host: Any, what: str, *things: str) -> bool:
    outcome.did(host.name, what, *things)
    return True


def log_line(text: str) -> FunctionCommand:
    """A command that only logs what is being done on this host."""
    return FunctionCommand(_log, (text,), {})


def _log(state: Any, host: Any, text: str) -> bool:
    host.log(text)
    return True


def fail(state: Any, host: Any, *reasons: Finding | str) -> bool:
    """Print why this host ends here, one block a reason, and end it; the summary says it again."""
    texts = [str(it) for it in reasons]
    _print(host, texts)
    outcome.because(host.name, "\n\n".join(texts))
    return False


def _print(host: Any, texts: Sequence[str]) -> None:
    for text in texts:
        logger.error("")
        for line in text.splitlines():
            host.log_styled(line, fg="red", log_func=logger.error)


@contextmanager
def refusal_ends_this_host() -> Iterator[None]:
    """Turn a refusal into an operation that fails on this host, so that the others go on.

    An exception in pyinfra's prepare phase would end the run for all of them. What is wrong is reported
    at once, because a dry run executes nothing.
    """
    outcome.print_at_the_end(pyinfra_state)
    live.begin(pyinfra_state)
    try:
        yield
    except RefusedError as refusal:
        texts = [str(finding) for finding in refusal.findings]
        _print(host, texts)
        outcome.refused(pyinfra_state, host.name)
        host_refused(name="Refused before the first change", findings=texts)


@operation(is_idempotent=False)
def host_refused(findings: Sequence[str]) -> Commands:
    """
    End this host's part of the run; other hosts go on.

    + findings: what is wrong
    """
    yield FunctionCommand(_end, tuple(findings), {})


def _end(state: Any, host: Any, *findings: str) -> bool:
    outcome.because(host.name, "\n\n".join(findings))
    return False
