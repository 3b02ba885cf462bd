"""Remove: everything goes that the provisioner put on each host; data and weights stay unless purged.

pyinfra inventories/lab.py deploy/remove.py                     data, weights and their users stay
pyinfra --data purge=yes inventories/lab.py deploy/remove.py    they go, too
pyinfra --dry inventories/lab.py deploy/remove.py               tells what would go and what would stay
"""

from engine.lock import acquired, released
from engine.operations import refusal_ends_this_host
from fleet.assessment import declared_of, everything, looking, units_of
from fleet.verbs import declared_host, options_of
from roles.removal.deploy import (
    cleared,
    deleted,
    forgotten,
    found,
    purged,
    stopped,
    told,
    unmarked,
)
from roles.removal.removal import decide

options = options_of("deploy/remove.py")
declared = declared_host()

with refusal_ends_this_host():
    components = everything(declared)
    ours = declared_of(components)
    seen = looking(ours, (), units_of(components))
    it = decide(ours, seen, found(ours), purge=options.flag("purge"))
    told(it)

    if it.needed:
        acquired(name="Lock", needed=True, what="deploy/remove.py", generation=it.generation)
        if it.marked:
            stopped(name="Services", removal=it)
            cleared(name="Files", removal=it)
        if it.purge:
            purged(name="Data and weights", removal=it)
        deleted(name="Users", users=it.leaving)
        if it.marked:
            unmarked(name="Mark")
        released(name="Unlock")
        if it.purge:
            forgotten(name="Audit log")
