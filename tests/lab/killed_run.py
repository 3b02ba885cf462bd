"""The main job, or the deploy KILLED_RUN, killed after an operation, which KILLED_RUN_NOTE has then."""

import os
from pathlib import Path

from pyinfra import local
from pyinfra.context import state

from tests.lab.killer import arm

arm(state, Path(os.environ["KILLED_RUN_NOTE"]))
local.include(os.environ.get("KILLED_RUN", "deploy/venom.py"))
