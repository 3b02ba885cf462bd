"""Purge: the operator's word that what is kept otherwise, weights and data, may be deleted for good."""

from __future__ import annotations

from pyinfra.context import host

from roles.common.refusal import refuse


def purge_asked() -> bool:
    """Whether `--data purge=yes` was given. Raises RefusedError for another answer."""
    asked = host.data.get("purge")
    if asked not in (None, "yes"):
        raise refuse("--data purge=yes, or no purge at all", f"purge={asked}", "say what is meant")
    return asked is not None
