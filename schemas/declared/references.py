"""What the inventory refers to: paths on this machine, and secrets."""

from __future__ import annotations

import os
from pathlib import Path

from schemas.model import Secret
from schemas.reading.inherit import Settings


def absolute(path: str, settings: Settings) -> str:
    """A path of the inventory: relative to its file, `~` the operator's home."""
    try:
        expanded = Path(path).expanduser()
    except RuntimeError:  # ~nobody: there is no such user
        expanded = Path(path)
    return os.path.normpath(settings.document.path.absolute().parent / expanded)


def secret_of(written: str, settings: Settings) -> Secret:
    """A reference ("env:NAME", "file:PATH", "command:…") taken apart; the path made absolute."""
    kind, target = written.split(":", 1)
    return Secret(kind, absolute(target, settings) if kind == "file" else target)


def reference(secret: Secret) -> str:
    """The secret as the inventory names it; a command without its arguments, which may show more."""
    if secret.kind == "command":
        return f"command:{secret.target.split()[0]} …"
    return f"{secret.kind}:{secret.target}"
