"""Revealing secrets: from a reference in the plan to the value, on the controller, at the last moment."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from roles.common import controller
from roles.common.refusal import RefusedError, refuse
from schemas.model import Secret


def reveal(secrets: Mapping[str, Secret]) -> dict[str, str]:
    """The values of the referenced secrets. Raises RefusedError, which names references only."""
    return {name: _once(name, secret) for name, secret in secrets.items()}


def _once(name: str, secret: Secret) -> str:
    return controller.once(("secret", secret), lambda: _value(name, secret))


def _value(name: str, secret: Secret) -> str:
    requirement = f"the secret {name} from {secret.kind}:{secret.target}"
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
    if not value or "\n" in value or "\0" in value:
        found = "nothing" if not value else "more than one line"
        raise RefusedError([*refuse(requirement, found, "make it one line").findings])
    return value
