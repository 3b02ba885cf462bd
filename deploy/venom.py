"""Converge: make each host of the inventory what its plan says, and prove that it serves.

pyinfra inventories/lab.py deploy/venom.py
pyinfra --data purge=yes inventories/lab.py deploy/venom.py    deletes weights that the plan does not use, too
"""

from pyinfra.context import host

from engine import outcome
from engine.lock import acquired, released
from engine.operations import refusal_ends_this_host
from engine.switch import activated
from fleet.assessment import survey
from fleet.preview import preview
from fleet.verbs import declared_host, options_of
from roles.base.deploy import base, marked
from roles.door.deploy import certified, noted
from roles.ollama.deploy import install
from roles.ollama.deploy import installed as ollama_installed
from roles.weights.deploy import pull, pulled
from roles.weights.unused import named, purged

options = options_of("deploy/venom.py")
declared = declared_host()

with refusal_ends_this_host():
    s = survey(declared, purge=options.flag("purge"))
    plan, seen, local = s.plan, s.seen, s.local
    named(models=s.unused, purge=s.purge)
    for text in (*s.remarks, *s.troubles):
        outcome.adds(host.name, text)

    if s.in_sync:
        outcome.serves(host.name, f"nothing changed: {s.switch.serves}")
        # All that is left is what other hosts of this run may want of it.
        s.making.give()
        if s.certificate:
            outcome.adds(host.name, s.certificate)
    else:
        preview(s)
        acquired(name="Lock", needed=True, what="deploy/venom.py", generation=s.current)
        marked(seen=seen)
        noted(name="Door | note what was there", seen=seen)
        base(plan=plan, ground=s.ground, seen=seen)

        # The long branches go side by side on the host, the longest first.
        s.making.begin()
        if local:
            install(job=local.install, seen=seen)
            ollama_installed(job=local.install, seen=seen)
            pull(job=local.pull, seen=seen)
            pulled(job=local.pull, seen=seen)
        s.making.end()
        if s.certificate_job:
            certified(job=s.certificate_job, seen=seen)

        activated(name="Switch", generation=s.generation, seen=seen, needed=not s.proven, switch=s.switch)
        if s.purge:
            purged(name="Weights | purge", models=s.unused, seen=seen)
        released(name="Unlock")
