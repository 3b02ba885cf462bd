"""Publish: the plans of hosts that pull, signed, at the store of the fleet, where these fetch them.

pyinfra --limit gpu1 inventories/office.py deploy/publish.py --data key=~/.ssh/id_ed25519
                                            over the host that serves the store: nobody else is asked
  --data hosts=gpu2,gpu3                    only for these, e.g. a canary first
"""

from engine.operations import refusal_ends_this_host
from fleet.publishing.operations import plans_published
from fleet.publishing.publication import plan_publication
from fleet.verbs import declared_host, options_of

options = options_of("deploy/publish.py")
declared = declared_host()

with refusal_ends_this_host():
    plans_published(name="Publish", publication=plan_publication(declared, options))
