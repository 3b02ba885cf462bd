"""Restore: each host goes on with the data of a backup; what it had is kept beside them.

pyinfra inventories/lab.py deploy/restore.py                        its own last one
pyinfra --data from=old --limit new inventories/lab.py deploy/restore.py     another host's last one
pyinfra --data snapshot=ID inventories/lab.py deploy/restore.py     a named one
"""

from pyinfra.context import host

from engine.lock import host_locked, host_unlocked
from engine.operations import refusal_ends_this_host
from engine.rollback import current_key, kept_generations, written_since
from fleet.verbs import declared_host, options_of
from roles.backup.running import check_backups, choose, copies, data_restored

options = options_of("deploy/restore.py")
declared = declared_host()

with refusal_ends_this_host():
    check_backups()
    current = current_key(kept_generations())
    copy = choose(copies(), options.text("from") or declared.name, options.text("snapshot"))
    host.log(f"the data of {copy.host} of {copy.at} come back; {written_since(copy.time)}")
    host_locked(name="Lock", needed=True, what="deploy/restore.py", generation=current)
    data_restored(name="Restore", copy=copy, current=current, keep=declared.keep_generations)
    host_unlocked(name="Unlock")
