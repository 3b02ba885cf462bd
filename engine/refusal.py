"""Saying no: what is wrong with one host, as requirement, finding and remedy, without a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyinfra.api.exceptions import DeployError


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be."""

    requirement: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        lines = [f"required  {self.requirement}", f"found     {self.found}"]
        if self.remedy:
            lines.append(f"do        {self.remedy}")
        return "\n".join(lines)


class RefusedError(Exception):
    """This host cannot become what its plan says; nothing was changed on it by what raised this."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


def refuse(requirement: str, found: str, remedy: str = "") -> RefusedError:
    """A refusal for a single reason."""
    return RefusedError([Finding(requirement, found, remedy)])


def ends_the_run(*findings: Finding) -> DeployError:
    """A refusal of the whole run, for all its hosts at once, printed on lines of its own."""
    return DeployError("\n" + "\n\n".join(map(str, findings)))
