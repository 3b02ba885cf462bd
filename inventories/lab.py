"""Gives pyinfra the hosts of the YAML file beside this one. Copy both for a fleet of your own."""

from pathlib import Path

from pyinfra.api.exceptions import PyinfraError

from schemas.inventory import InventoryError, load, pyinfra_groups

try:
    _inventory = load(Path(__file__).with_suffix(".yaml"))
except InventoryError as _error:
    raise PyinfraError(str(_error)) from None

# `hosts`, and one list a group.
globals().update(pyinfra_groups(_inventory))
