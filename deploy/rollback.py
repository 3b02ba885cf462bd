"""Go back: an earlier generation of each host serves again, in seconds and without network.

pyinfra inventories/lab.py deploy/rollback.py                  the one before
pyinfra --data to=v1.6.0 inventories/lab.py deploy/rollback.py  the last one of a release
pyinfra --data to=KEY inventories/lab.py deploy/rollback.py     a named one (/etc/venom/generations)
pyinfra --data with-state=yes inventories/lab.py deploy/rollback.py    with the data that it had then
"""

from pyinfra.context import host

from engine.lock import host_locked, host_unlocked
from engine.operations import refusal_ends_this_host
from engine.rollback import check_data, choose, current_key, host_rolled_back, kept_generations, written_since
from fleet.verbs import declared_host, options_of

declared = declared_host()
options = options_of("deploy/rollback.py")
with_state = options.flag("with-state")

with refusal_ends_this_host():
    generations = kept_generations()
    to = choose(generations, options.text("to"))
    if with_state:
        check_data(to, generations)
        host.log(f"the data of {to.data_at} come back; {written_since(to.data)}")
    host_locked(
        name="Lock",
        needed=with_state or not to.current,
        what="deploy/rollback.py",
        generation=current_key(generations),
    )
    host_rolled_back(name=f"Back to {to.key}", to=to, keep=declared.keep_generations, with_state=with_state)
    host_unlocked(name="Unlock")
