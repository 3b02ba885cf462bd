"""Remove: everything goes that the provisioner put on each host; data and weights stay unless purged.

pyinfra inventories/lab.py deploy/remove.py                     data, weights and their users stay
pyinfra --data purge=yes inventories/lab.py deploy/remove.py    they go, too
pyinfra --dry inventories/lab.py deploy/remove.py               shows what would go and what would stay
"""

from engine.lock import host_locked, host_unlocked
from engine.operations import refusal_ends_this_host
from engine.question import observe_host
from fleet.assessment import declared_of, possible_components, units_of
from fleet.verbs import declared_host, options_of
from roles.removal.deploy import (
    ask_host,
    audit_log_removed,
    data_purged,
    files_removed,
    mark_removed,
    report_removal,
    units_stopped,
    users_deleted,
)
from roles.removal.removal import decide

options = options_of("deploy/remove.py")
declared = declared_host()

with refusal_ends_this_host():
    components = possible_components(declared)
    ours = declared_of(components)
    observed = observe_host(ours, (), units_of(components))
    it = decide(ours, observed, ask_host(ours), purge=options.flag("purge"))
    report_removal(it)

    if it.needed:
        host_locked(name="Lock", needed=True, what="deploy/remove.py", generation=it.generation)
        if it.marked:
            units_stopped(name="Services", removal=it)
            files_removed(name="Files", removal=it)
        if it.purge:
            data_purged(name="Data and weights", removal=it)
        users_deleted(name="Users", users=it.leaving)
        if it.marked:
            mark_removed(name="Mark")
        host_unlocked(name="Unlock")
        if it.purge:
            audit_log_removed(name="Audit log")
