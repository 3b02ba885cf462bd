"""Gives pyinfra the hosts of the YAML file beside this one. Copy both for a fleet of your own."""

from pathlib import Path

from pyinfra.api.exceptions import PyinfraError

try:
    from fleet.inventory import groups_of
except ModuleNotFoundError as _error:
    raise PyinfraError(f"{_error}: run pyinfra from the repository's root, of its .venv") from None

# `hosts`, and one list a group.
globals().update(groups_of(Path(__file__).with_suffix(".yaml")))
