"""The main job, killed after an operation: `--data note=FILE` (tests/lab/killer.py)."""

from pathlib import Path

from pyinfra import local
from pyinfra.context import host, state

from tests.lab.killer import arm

arm(state, Path(host.data.note))
local.include("deploy/venom.py")
