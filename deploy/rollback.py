"""Go back: an earlier generation of each host serves again, in seconds and without network.

pyinfra inventories/lab.py deploy/rollback.py                  the one before
pyinfra --data to=v1.6.0 inventories/lab.py deploy/rollback.py  the last one of a release
pyinfra --data to=KEY inventories/lab.py deploy/rollback.py     a named one (/etc/venom/generations)
"""

from engine.lock import host_locked, host_unlocked
from engine.operations import refusal_ends_this_host
from engine.rollback import choose, current_key, host_rolled_back, kept_generations
from fleet.verbs import declared_host, options_of

declared = declared_host()
options = options_of("deploy/rollback.py")

with refusal_ends_this_host():
    generations = kept_generations()
    to = choose(generations, options.text("to"))
    host_locked(
        name="Lock", needed=not to.current, what="deploy/rollback.py", generation=current_key(generations)
    )
    host_rolled_back(name=f"Back to {to.key}", to=to, keep=declared.keep_generations)
    host_unlocked(name="Unlock")
