"""The command line that pyinfra was started with, read by pyinfra's own parser."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class CommandLine:
    """What the operator wrote, as it was written."""

    inventory: str = ""
    operations: tuple[str, ...] = ()
    data: tuple[str, ...] = ()  # of each --data what stands behind it
    limit: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    json: bool = False
    serial: bool = False  # one host after the other, each from the first operation to the last
    no_wait: bool = False  # no host waits for another between operations

    @property
    def deploys(self) -> tuple[str, ...]:
        """The files that are run; none where something else is asked for (exec, fact, …)."""
        return self.operations if all(it.endswith(".py") for it in self.operations) else ()


def parse(arguments: list[str]) -> CommandLine:
    """The command line of these arguments."""
    # In a run it is there; elsewhere it would turn the whole process into one of gevent's.
    from pyinfra_cli.cli import cli  # type: ignore[import-untyped]  # noqa: PLC0415

    given = cli.make_context("pyinfra", list(arguments), resilient_parsing=True).params
    return CommandLine(
        inventory=given["inventory"] or "",
        operations=tuple(given["operations"] or ()),
        data=tuple(given["data"]),
        limit=tuple(given["limit"]),
        exclude=tuple(given["exclude"]),
        json=given["json_output"],
        serial=given["serial"],
        no_wait=given["no_wait"],
    )


@cache
def command_line() -> CommandLine:
    """That of this process."""
    return parse(sys.argv[1:])
