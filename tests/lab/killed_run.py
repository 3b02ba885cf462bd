"""The main job, or `--data deploy=FILE`, killed after an operation: `--data note=FILE`, `--data every=N`
(see killer.py).
"""

from pathlib import Path

from pyinfra import local
from pyinfra.context import host, state

from tests.lab.killer import arm

arm(state, Path(host.data.note), int(host.data.get("every", 1)))
local.include(host.data.get("deploy") or "deploy/venom.py")
