"""The main job as far as its ground; `--data patience=SECONDS` says how long it waits for apt."""

from pyinfra.context import host

from deploy.survey import survey
from roles.base.deploy import base
from roles.common import packages
from roles.common.operations import refusal_ends_this_host

packages.WAIT_SECONDS = float(host.data.get("patience") or packages.WAIT_SECONDS)
with refusal_ends_this_host():
    s = survey(host.data.declared)
    base(plan=s.plan, ground=s.ground, seen=s.seen)
