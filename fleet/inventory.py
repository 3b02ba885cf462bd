"""What an inventory's `.py` gives to pyinfra: its hosts and groups, or why there are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from pyinfra.api.exceptions import PyinfraError

from engine.command_line import CommandLine, command_line
from engine.controller import Kept
from engine.refusal import Finding, ends_the_run
from schemas.inventory import InventoryError, load, pyinfra_groups
from schemas.reading.problem import did_you_mean, listed


def groups_of(path: Path, *, here: bool = False) -> dict[str, list[Any]]:
    """`hosts`, and one list a group, of the YAML file at `path`. `here`: its one host is this machine.

    Raises PyinfraError with everything that is wrong with it, and where `--limit` or `--exclude` names
    nobody of it: pyinfra would only warn, do nothing, and say that it went well.
    """
    try:
        groups = pyinfra_groups(load(path, sound=Kept("sound")), here=here)
    except InventoryError as error:
        raise PyinfraError(str(error)) from None
    hosts = [_name_in_pyinfra(name) for name, _ in groups["hosts"]]
    members = {
        group: [_name_in_pyinfra(it) for it in its] for group, its in groups.items() if group != "hosts"
    }
    names = {path.stem: hosts, **members, "all": hosts, "hosts": hosts}
    line = command_line()
    wrong = [*nobody("--limit", line.limit, names), *nobody("--exclude", line.exclude, names)]
    if not wrong and not _left(line, names):
        wrong = [Finding("at least one host", "none: --exclude leaves no host", "see --limit and --exclude")]
    if wrong:
        raise ends_the_run(*wrong)
    return groups


def _name_in_pyinfra(host: str) -> str:
    """The name by which pyinfra knows a host of our connector from there on (see make_names_data)."""
    return "@local" if host == "@venom-local" else host.removeprefix("@venom/")


def nobody(option: str, patterns: Sequence[str], groups: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """The patterns that no host and no group has."""
    for pattern in patterns:
        if not _matches(pattern, groups):
            known = [*groups["all"], *(it for it in groups if it not in ("all", "hosts"))]
            required = f"{option} with a host or group of the inventory: {listed(known)}"
            yield Finding(required, pattern, did_you_mean(pattern, known) or "check the name")


def _matches(pattern: str, groups: Mapping[str, Sequence[str]]) -> set[str]:
    """The hosts that pyinfra takes a pattern for."""
    if pattern in groups:
        return set(groups[pattern])
    return {it for it in groups["all"] if fnmatch(it, pattern)}


def _left(line: CommandLine, groups: Mapping[str, Sequence[str]]) -> set[str]:
    """The hosts that a run is for."""
    limited = [_matches(it, groups) for it in line.limit] or [set(groups["all"])]
    return set().union(*limited) - set().union(*(_matches(it, groups) for it in line.exclude))
