"""The configuration panel's side of the env file: read, change by key, keep a full copy."""

from __future__ import annotations

import re
import shutil
from datetime import datetime
from pathlib import Path

from venom_core.config import ENV_FILE

CODE = Path(__file__).resolve().parent.parent

_LINE = re.compile(r"([A-Z_][A-Z0-9_]*)=(.*)")
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSWORD")
_KEPT = 50


class EnvPanel:
    """The env file and its history, which lies in the code: in a read-only tree it must be there already."""

    def __init__(self) -> None:
        self.file = CODE / ENV_FILE  # an absolute name stays as it is
        self.history = CODE / "config" / "env-history"
        self.history.mkdir(parents=True, exist_ok=True)

    def read(self) -> dict[str, str]:
        """The values in the file; empty if there is no file."""
        if not self.file.exists():
            return {}
        matches = (_LINE.fullmatch(line.strip()) for line in self.file.read_text().splitlines())
        return {match[1]: match[2] for match in matches if match}

    def masked(self) -> dict[str, str]:
        """The values with secrets hidden."""
        return {key: "***" if _SECRET.search(key) and value else value for key, value in self.read().items()}

    def update(self, updates: dict[str, str]) -> tuple[list[str], Path | None]:
        """Set keys in their lines, append new ones; returns the changed keys and the copy made before."""
        before = self.read()
        changed = [key for key, value in updates.items() if before.get(key, "") != value]
        copy = self._copy()
        lines = []
        left = dict(updates)
        for line in self.file.read_text().splitlines() if self.file.exists() else []:
            match = _LINE.fullmatch(line.strip())
            lines.append(f"{match[1]}={left.pop(match[1])}" if match and match[1] in left else line)
        lines += [f"{key}={value}" for key, value in left.items()]
        self.file.write_text("".join(f"{line}\n" for line in lines))
        return changed, copy

    def copies(self) -> list[str]:
        """Names of the copies, the newest first."""
        return sorted((path.name for path in self.history.glob(f"{self.file.name}-*")), reverse=True)

    def restore(self, name: str) -> bool:
        """Put a copy back; False if there is none of that name."""
        if name not in self.copies():
            return False
        self._copy()
        shutil.copy2(self.history / name, self.file)
        return True

    def _copy(self) -> Path | None:
        """A full copy, secrets included."""
        if not self.file.exists():
            return None
        copy = self.history / f"{self.file.name}-{datetime.now():%Y%m%d-%H%M%S}"
        shutil.copy2(self.file, copy)
        for name in self.copies()[_KEPT:]:
            (self.history / name).unlink()
        return copy


PANEL = EnvPanel()
