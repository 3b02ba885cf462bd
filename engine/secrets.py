"""Revealing secrets: from a reference in the plan to the value, on the controller, at the last moment."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from engine import controller
from engine.refusal import refuse
from schemas.declared.references import reference
from schemas.model import Secret


def reveal(secrets: Mapping[str, Secret]) -> dict[str, str]:
    """The values of the referenced secrets. Raises RefusedError, which names references only."""
    return {name: _once(name, secret) for name, secret in secrets.items()}


def reveal_text(name: str, secret: Secret) -> str:
    """The text of several lines, such as a key, to which a reference leads. Raises RefusedError."""
    return controller.once(("secret text", secret), lambda: f"{_text(name, secret)}\n")


def _once(name: str, secret: Secret) -> str:
    return controller.once(("secret", secret), lambda: _value(name, secret))


def _value(name: str, secret: Secret) -> str:
    value = _text(name, secret)
    if "\n" in value:
        raise refuse(_requirement(name, secret), "more than one line", "make it one line")
    return value


def _requirement(name: str, secret: Secret) -> str:
    return f"the secret {name} from {reference(secret)}"


def _text(name: str, secret: Secret) -> str:
    requirement = _requirement(name, secret)
    try:
        if secret.kind == "env":
            value = os.environ.get(secret.target, "")
        elif secret.kind == "file":
            value = Path(secret.target).read_text(encoding="utf-8")
        else:
            done = subprocess.run(
                shlex.split(secret.target), check=True, capture_output=True, text=True, timeout=60
            )
            value = done.stdout
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        # The message of a failed command may hold what it printed: name the kind of failure only.
        raise refuse(requirement, type(error).__name__, "run the reference by hand") from error
    value = value.strip()
    if not value or "\0" in value:
        raise refuse(requirement, "nothing" if not value else "bytes that are not text", "write it anew")
    return value
