"""Lines of an environment file as python-dotenv, systemd and a shell read them alike."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping


def quoted(value: str) -> str:
    """A value as it stands behind the `=`: plain where that is unambiguous, else in single quotes."""
    if re.fullmatch(r"[A-Za-z0-9_./:@%+,*-]*", value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def settings_digest(values: Mapping[str, str]) -> str:
    """What `settings` in a launcher computes of the file at start: 16 hex digits of the sorted lines.

    So the fingerprint of a running process holds what really stood in the file when it started, not
    what should have stood there.
    """
    lines = sorted(f"{key}={quoted(value)}" for key, value in values.items())
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()[:16]
