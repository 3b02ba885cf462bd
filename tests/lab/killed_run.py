"""The main job, or the deploy KILLED_RUN, killed after an operation, which KILLED_RUN_RECORD has then.

KILLED_RUN_EVERY: after so many operations that change something; 1 where it is not given (see killer.py).
"""

import os
from pathlib import Path

from pyinfra import local
from pyinfra.context import state

from tests.lab.killer import arm

arm(state, Path(os.environ["KILLED_RUN_RECORD"]), int(os.environ.get("KILLED_RUN_EVERY", "1")))
local.include(os.environ.get("KILLED_RUN", "deploy/venom.py"))
