"""Converge: make each host of the inventory what its plan says, and prove that it serves.

pyinfra inventories/lab.py deploy/venom.py
pyinfra --data purge=yes inventories/lab.py deploy/venom.py    deletes weights that the plan does not use, too
"""

from pyinfra.context import host

from engine import outcome
from engine.component import carry_out
from engine.lock import acquired, released
from engine.operations import refusal_ends_this_host
from engine.switch import activated
from fleet.assessment import assess
from fleet.preview import preview
from fleet.verbs import declared_host, options_of
from roles.base.deploy import base, marked
from roles.door.deploy import noted
from roles.weights.unused import named, purged

options = options_of("deploy/venom.py")
declared = declared_host()

with refusal_ends_this_host():
    it = assess(declared, purge=options.flag("purge"))
    planned, seen = it.planned, it.seen
    named(models=it.unused, purge=it.purge)
    for text in (*it.remarks, *it.troubles):
        outcome.adds(host.name, text)

    if it.in_sync:
        outcome.serves(host.name, f"nothing changed: {planned.switch.serves}")
        # All that is left is what other hosts of this run may want of it.
        for work in it.works.values():
            work.share()
        if it.certificate:
            outcome.adds(host.name, it.certificate)
    else:
        preview(it)
        acquired(name="Lock", needed=True, what="deploy/venom.py", generation=it.current)
        marked(seen=seen)
        noted(name="Door | note what was there", seen=seen)
        base(plan=it.plan, ground=planned.ground, seen=seen)
        carry_out(it.works, planned.components)
        activated(
            name="Switch", generation=it.generation, seen=seen, needed=not it.proven, switch=planned.switch
        )
        if it.purge:
            purged(name="Weights | purge", models=it.unused, seen=seen)
        released(name="Unlock")
