"""Back up: each host makes a backup of what Venom has written now, as its timer does daily.

pyinfra inventories/lab.py deploy/backup.py
"""

from engine.lock import host_locked, host_unlocked
from engine.operations import refusal_ends_this_host
from engine.rollback import current_key, kept_generations
from fleet.verbs import declared_host, options_of
from roles.backup.running import backup_made, check_backups

options_of("deploy/backup.py")
declared_host()

with refusal_ends_this_host():
    check_backups()
    host_locked(name="Lock", needed=True, what="deploy/backup.py", generation=current_key(kept_generations()))
    backup_made(name="Backup")
    host_unlocked(name="Unlock")
