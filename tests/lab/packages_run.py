"""The main job as far as its ground; the variable PATIENCE says how many seconds it waits for apt."""

import os

from pyinfra.context import host

from engine import packages
from engine.operations import refusal_ends_this_host
from fleet.assessment import assess
from roles.base.deploy import host_marked, prerequisites_made

packages.WAIT_SECONDS = float(os.environ.get("PATIENCE") or packages.WAIT_SECONDS)
with refusal_ends_this_host():
    it = assess(host.data.declared, purge=False)
    host_marked(observed=it.observed)
    prerequisites_made(
        prerequisites=it.planned.prerequisites, ca_bundle=it.plan.ca_bundle, observed=it.observed
    )
