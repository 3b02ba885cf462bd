"""How a host's backups stand: from the record that each of them leaves there. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.progress import moment
from engine.resources import Difference

# One that is made daily has failed, or did not run, where it is older.
_OVERDUE_SECONDS = 50 * 3600


@dataclass(frozen=True)
class Backups:
    """What the record says; empty where none was made yet."""

    repository: str
    last_success: str = ""  # UTC, ISO 8601
    failed_at: str = ""  # of a later one
    error: str = ""
    copies: int = 0  # of this host
    overdue: bool = False

    @classmethod
    def of(cls, record: Mapping[str, Any], plan: Mapping[str, Any], now: int) -> Backups | None:
        """None on a host without backups. `now`: by the host's clock, in seconds since 1970.

        Raises ValueError where the record has another form.
        """
        if not plan.get("backup"):
            return None
        success = str(record.get("last_success", ""))
        failed = bool(record) and not record.get("ok")
        return cls(
            repository=str(plan["backup"]["repository"]),
            last_success=success,
            failed_at=str(record.get("at", "")) if failed else "",
            error=" ".join(str(record.get("error", "")).split()) if failed else "",
            copies=int(record.get("copies", 0)),
            overdue=bool(success) and now - _seconds(success) > _OVERDUE_SECONDS,
        )

    def rows(self) -> list[str]:
        """For the operator, a line each."""
        if not self.last_success:
            return [f"none yet, to {self.repository}"]
        return [f"{moment(self.last_success)}, {self.copies} at {self.repository}"]

    def differences(self) -> Sequence[Difference]:
        """What of them is not well."""
        if self.failed_at:
            return [Difference("the backup", f"failed at {moment(self.failed_at)}: {self.error}")]
        if self.overdue:
            return [Difference("the backup", f"none since {moment(self.last_success)}")]
        return []


def _seconds(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()
